import { Pool } from 'pg'
import { z } from 'zod'
import { fetchPart, sendReceipt } from '../right/a/contracts.ts'
import { jobs } from '../right/a/jobs.ts'
import { nightly } from '../right/c/tasks.ts'

const pool = new Pool()

/* expect TS2322: Type 'number' is not assignable to type 'string'. */
jobs.enqueue(sendReceipt, { orderId: 1, paidAt: 'x' })
/* expect TS2554: Expected 2-3 arguments, but got 1. */
jobs.enqueue(sendReceipt)
/* expect TS2353: Object literal may only specify known properties, and 'foo' does not exist */
jobs.enqueue(fetchPart, { accountId: 'a', part: 'ats', foo: 1 })
/* expect TS2322: Type '"crm"' is not assignable to type '"ats" | "hris"'. */
jobs.enqueue(fetchPart, { accountId: 'a', part: 'crm' })
/* expect TS2322: Type 'Date' is not assignable to type 'string'. */
jobs.enqueue(sendReceipt, { orderId: '1', paidAt: new Date() })
/* expect TS2345: Property 'part' is missing */
jobs.enqueueMany(fetchPart, [{ accountId: 'a' }])
/* expect TS2345: Argument of type '{ surplus: boolean; }' is not assignable to parameter of type 'undefined'. */
jobs.enqueue(nightly, { surplus: true })
/* expect TS2345: Argument of type '() => void' is not assignable to parameter of type 'AnyContract'. */
jobs.enqueue(() => {}, 1)
/* expect TS2345: Argument of type 'string' is not assignable to parameter of type 'AnyContract'. */
jobs.enqueue('nightly')
/* expect TS2741: Property 'escapeIdentifier' is missing in type 'Pool' but required in type 'PgClient'. */
jobs.enqueue(nightly, undefined, { tx: pool })
/* expect TS2322: Type '"5 min"' is not assignable to type 'Date | `${number}d` | */
jobs.enqueue(nightly, undefined, { after: '5 min' })
/* expect TS2322: Type 'number' is not assignable to type 'Date | `${number}d` | */
jobs.enqueue(nightly, undefined, { after: 300 })
/* expect TS2322: Type '11' is not assignable to type 'Priority | undefined'. */
jobs.enqueue(nightly, undefined, { priority: 11 })
/* expect TS2353: Object literal may only specify known properties, and 'delay' does not exist */
jobs.enqueue(nightly, undefined, { delay: '5m' })
/* expect TS2375: "input.when is a Date" */
jobs.task({ name: 'a', input: z.object({ when: z.date() }), run() {} })
/* expect TS2375: "input.list[].big is a bigint" */
jobs.contract({ name: 'a', input: z.object({ list: z.array(z.object({ big: z.bigint() })) }) })
/* expect TS2375: "input is a Map or Set" */
jobs.iteration({ name: 'a', input: z.map(z.string(), z.string()), items: () => ({ name: 's', async *open() {} }), each() {} })
/* expect TS2339: Property 'y' does not exist */
jobs.task({ name: 'a', input: z.object({ x: z.string() }), run: ({ y }) => y })
/* expect TS2322: Type 'string' is not assignable to type '"only this"'. */
jobs.task({ name: 'a', input: z.object({ x: z.string() }), run: (input: { x: 'only this' }) => input.x })
/* expect TS2741: Property 'part' is missing in type '{ accountId: string; }' */
jobs.task({ name: 'a', run(_, { enqueue }) { enqueue(fetchPart, { accountId: 'a' }) } })
/* expect TS2353: Object literal may only specify known properties, and 'tx' does not exist */
jobs.task({ name: 'a', run(_, { enqueue }) { enqueue(nightly, undefined, { tx: pool }) } })
