import type { Database } from '../../src/store/db.ts'
import type { StatementName } from '../../src/store/statements.ts'

export interface Call {
  readonly name: StatementName
  readonly values: readonly unknown[]
}

/** Stands in for the database where only the statements matter that are sent. Each is answered by the test, or at once with no rows. */
export function fakeDatabase(answer: (call: Call) => unknown[] | Promise<unknown[]> = () => []) {
  const calls: Call[] = []
  const db = {
    schema: 'fake',
    url: 'postgres://fake',
    channel: 'fake_wake',
    async run(name: StatementName, values: readonly unknown[]) {
      const call = { name, values }
      calls.push(call)
      return answer(call)
    },
  }
  return {
    db: db as unknown as Database,
    calls,
    of: (name: StatementName) => calls.filter((call) => call.name === name),
  }
}
