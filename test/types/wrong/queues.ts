import { holdfast } from 'holdfast'
import { csv } from 'holdfast/sources'
import { z } from 'zod'
import { sendReceipt } from '../right/a/contracts.ts'
import { jobs } from '../right/a/jobs.ts'
import { nightly } from '../right/c/tasks.ts'

/* expect TS2820: Did you mean '"realtime"'? */
jobs.task({ name: 'a', queue: 'realtmie', run() {} })
/* expect TS2820: Did you mean '"realtime"'? */
jobs.contract({ name: 'a', queue: 'realtmie', input: z.object({}) })
/* expect TS2820: Did you mean '"bulk"'? */
jobs.iteration({ name: 'a', queue: 'blk', items: () => csv('f'), each() {} })
/* expect TS2820: Did you mean '"realtime"'? */
jobs.enqueue(sendReceipt, { orderId: '1', paidAt: 'x' }, { queue: 'realtmie' })
/* expect TS2820: Did you mean '"bulk"'? */
jobs.task({ name: 'a', run(_, { enqueue }) { enqueue(nightly, undefined, { queue: 'blk' }) } })
/* expect TS2820: Did you mean '"bulk"'? */
jobs.app({ tasks: [] }).work({ queues: ['blk'] })
/* expect TS2561: Did you mean to write 'concurrency'? */
holdfast({ queues: { bulk: { concurency: 3 } } })
// A contract of queues that this client does not have.
/* expect TS2345: Type '"bulk"' is not assignable to type '"default" | "mail"'. */
jobs.implement(holdfast({ queues: { mail: {} } }).contract({ name: 'x', queue: 'mail' })).task({ run() {} })
