import type { ContextPorts } from './engine/context.ts'
import { jobTemplate, newJobNow } from './engine/new-job.ts'
import { type EngineTransactions, ormTransactions, pgTransactions } from './engine/transactions.ts'
import type { ClientInternals } from './internals.ts'
import type { Database } from './store/db.ts'

/** What runs need of the app's client, in a worker and in its isolated processes alike. `idleTimeout`: see `EngineTransactions`, in ms. */
export function runPorts(
  { queues, transactions, maxInputBytes }: ClientInternals,
  db: Database,
  idleTimeout: number,
): { readonly transactions: EngineTransactions; readonly newJob: ContextPorts['newJob'] } {
  const names = new Set(queues.keys())
  return {
    transactions: transactions ? ormTransactions(db, transactions, idleTimeout) : pgTransactions(db, idleTimeout),
    newJob: (what, input, how) => newJobNow(jobTemplate(what, how, names, maxInputBytes, 'ctx.enqueue'), input),
  }
}
