import { expect, test } from 'vitest'
import type { Database } from '../../../src/store/db.ts'
import { beginDeploy, markDeploy, passDeploy, renewDeploy } from '../../../src/store/deploys.ts'
import { settleHold } from '../../../src/store/gate.ts'
import { type Stage, useStages } from '../../support/stage.ts'
import { until } from '../../support/until.ts'
import { addWorker, openSession, type Session, waitsFor } from './support.ts'

const stages = useStages()
/** ms: soon over, and not before its steering was sent. */
const SHORT = 1_500

const passed = { hold: SHORT, heardMs: 1, report: {} }
const STEERED: readonly [
  string,
  (db: Database, number: number) => Promise<unknown>,
  (db: Database, number: number) => Promise<unknown>,
][] = [
  ['marked', (db, number) => passDeploy(db, number, passed), (db, number) => markDeploy(db, number)],
  [
    'extended',
    (db, number) => passDeploy(db, number, passed),
    (db, number) => renewDeploy(db, number, 60_000, ['held']),
  ],
  ['renewed', async () => {}, (db, number) => renewDeploy(db, number, 60_000, ['preparing'])],
  ['passed', async () => {}, (db, number) => passDeploy(db, number, { ...passed, hold: 60_000 })],
]

/** All that a function of the store sends goes to this session, inside of the transaction that the test has opened there. */
function into(session: Session): Database {
  return Object.assign(Object.create(session) as Session, {
    transaction: <T>(work: (client: unknown) => Promise<T>) => work(session.client),
  })
}

async function isOver(stage: Stage, number: number): Promise<boolean> {
  const [row] = await stage.sql<{ over: boolean }>(
    'select expires_at < clock_timestamp() as over from :schema.deploy where number = $1',
    [number],
  )
  return row?.over === true
}

test.for(STEERED)(
  'a hold that is %s an instant before it runs out is not let go by a worker that looks before that commits',
  async ([, before, steer]) => {
    await using stage = await stages()
    const [steering, looking] = [await openSession(stage), await openSession(stage)]
    const worker = await addWorker(stage.db)
    const deploy = { owner: 'o', reason: 'r', build: undefined, token: 't', require: 'idle', expires: SHORT } as const
    const { number } = await beginDeploy(stage.db, deploy)
    await before(stage.db, number)

    await steering.begin()
    expect(await steer(into(steering), number)).toBeTruthy()
    await until(() => isOver(stage, number), { what: 'its time is over for everybody else' })
    await looking.begin()
    const seen = settleHold(into(looking), worker)
    await waitsFor(stage, looking, steering)
    await steering.commit()

    expect(await seen).toMatchObject({ deploy: number })
    await looking.commit()
    expect(await stage.sql('select claiming, deploy from :schema.worker where key = $1', [worker])).toEqual([
      { claiming: false, deploy: number },
    ])
  },
)
