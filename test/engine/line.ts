import type { StatementName } from '../../src/store/statements.ts'
import { openProxy } from '../support/proxy.ts'
import type { Stage } from '../support/stage.ts'

/** A client of the stage whose line to the database goes through a proxy; the stage itself asks directly. */
export async function openLine(stage: Stage) {
  const proxy = await openProxy(stage.database)
  const jobs = stage.holdfast({ database: proxy.url, queues: { other: {} } })
  return {
    proxy,
    jobs,
    /** Breaks the line once: when this statement is sent, or when its answer comes. */
    cutAt: (name: StatementName, lost: 'message' | 'answer') => proxy.cut({ text: stage.db.statements[name] }, lost),
    [Symbol.asyncDispose]: () => proxy.close(),
  }
}
