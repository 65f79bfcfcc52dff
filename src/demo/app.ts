import { setTimeout as sleep } from 'node:timers/promises'
import { batches, csv } from '../sources.ts'
import { importPlaces as contract, jobs } from './contract.ts'
import { testify } from './testify.ts'

// This file is what a deploy replaces: every release gets a copy of it with values of its own here.
const RELEASE = 0
const BATCH = 200

/** Stands for the service that an import asks about each batch; nothing of it is Holdfast's own time. */
const SERVICE_MS = 200
/** A transaction of the real world has more to do than one insert. */
const TRANSACTION_MS = 15

const INSERT = `
  insert into place (id, kind, country, region, district, name, latitude, longitude, imported_by)
  select id, kind, country, region, district, name, nullif(latitude, '')::numeric, nullif(longitude, '')::numeric, $9
  from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
    as row (id, kind, country, region, district, name, latitude, longitude)`

const COLUMNS = ['id', 'kind', 'country', 'region', 'district', 'name', 'latitude', 'longitude']

export const importPlaces = contract.iteration({
  items: ({ path }) => batches(csv(path), BATCH),

  // Deaf to `signal` on purpose, as much code is: a worker that wakes up from a long freeze walks on into its write.
  async prepare(batch, { job }) {
    const ids = batch.map((row) => Number(row['id']))
    const work = { release: RELEASE, job: job.id, run: job.run, from: Math.min(...ids), to: Math.max(...ids) }
    testify({ ...work, did: 'begin' })
    await sleep(SERVICE_MS)
    return { batch, work }
  },

  // The table has no unique constraint and the insert no ON CONFLICT: rows and cursor commit together, or neither does.
  async each({ batch, work }, { tx }) {
    await tx.query(INSERT, [...COLUMNS.map((column) => batch.map((row) => row[column])), `release-${RELEASE}`])
    testify({ ...work, did: 'insert' })
    await sleep(TRANSACTION_MS)
  },

  done(_input, _summary, { job }) {
    testify({ release: RELEASE, job: job.id, run: job.run, from: 0, to: 0, did: 'done' })
  },
})

export default jobs.app({ tasks: [importPlaces], lease: '2s', concurrency: 3, pollInterval: '200ms' })
