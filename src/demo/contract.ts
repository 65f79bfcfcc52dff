import { holdfast } from '../holdfast.ts'
import type { Schema } from '../tasks/schema.ts'

/** What producers of imports know: the demo enqueues with it, every release of the workers implements it. */
export const jobs = holdfast({ queues: { imports: {} } })

export interface ImportInput {
  /** A CSV file. */
  readonly path: string
}

/** An application would take zod's, or that of any other library that follows Standard Schema. */
const input: Schema<ImportInput> = {
  '~standard': {
    version: 1,
    vendor: 'holdfast-demo',
    validate: (value) =>
      typeof (value as Partial<ImportInput> | null)?.path === 'string'
        ? { value: value as ImportInput }
        : { issues: [{ message: 'path must be a string', path: ['path'] }] },
  },
}

export const importPlaces = jobs.contract({ name: 'import-places', queue: 'imports', input })
