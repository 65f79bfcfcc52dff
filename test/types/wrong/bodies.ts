import { csv, rows } from 'holdfast/sources'
import { z } from 'zod'
import { fetchPart } from '../right/a/contracts.ts'
import { jobs } from '../right/a/jobs.ts'
import { fetchPart as parts } from '../right/c/tasks.ts'

const input = z.object({ file: z.string() })

/* expect TS2339: Property 'tx' does not exist */
jobs.iteration({ name: 'a', checkpoint: 'periodic', items: () => csv('f'), each(row, { tx }) { void row } })
/* expect TS2339: Property 'tx' does not exist */
jobs.iteration({ name: 'a', items: () => csv('f'), prepare: (_, { tx }) => tx, each() {} })
/* expect TS2353: Object literal may only specify known properties, and 'delivery' does not exist */
jobs.iteration({ name: 'a', delivery: 'at-most-once', items: () => csv('f'), each() {} })
/* expect TS2353: Object literal may only specify known properties, and 'interrupt' does not exist */
jobs.iteration({ name: 'a', interrupt: 'restart', items: () => csv('f'), each() {} })
/* expect TS2820: Did you mean '"periodic"'? */
jobs.iteration({ name: 'a', checkpoint: 'peridoic', items: () => csv('f'), each() {} })
/* expect TS2739: Type 'string[]' is missing the following properties from type 'Source<unknown>': name, open */
jobs.iteration({ name: 'a', items: () => ['x'], each() {} })
/* expect TS2322: Type '"idd"' is not assignable to type '"id" | readonly "id"[]'. */
jobs.iteration({ name: 'a', items: () => rows<{ id: number }>('select', { key: 'idd' }), each() {} })
/* expect TS2345: Property 'each' is missing */
jobs.iteration({ name: 'a', items: () => csv('f') })
/* expect TS2322: Type 'string' is not assignable to type 'number'. */
fetchPart.task({ async run() { return { part: 'x', count: '1' } } })
/* expect TS2367: This comparison appears to be unintentional because the types '"ats" | "hris"' and '"crm"' have no overlap. */
fetchPart.task({ async run({ part }) { return { part, count: part === 'crm' ? 1 : 2 } } })
/* expect TS2353: Object literal may only specify known properties, and 'name' does not exist */
fetchPart.task({ name: 'b', run: ({ part }) => ({ part, count: 1 }) })
/* expect TS2561: Did you mean to write 'timeLimit'? */
jobs.task({ name: 'a', timelimit: '20s', run() {} })
/* expect TS2322: Type 'number' is not assignable to type 'TimeLimit'. */
jobs.task({ name: 'a', timeLimit: 20, run() {} })
/* expect TS2322: Type '{ soft: "20s"; }' is not assignable to type 'TimeLimit'. */
jobs.task({ name: 'a', timeLimit: { soft: '20s' }, run() {} })
/* expect TS2322: Type '"resume"' is not assignable to type '"finish" | "restart"'. */
jobs.task({ name: 'a', interrupt: 'resume', run() {} })
/* expect TS2561: Did you mean to write 'limit'? */
jobs.task({ name: 'a', retry: { limits: 3 }, run() {} })
/* expect TS2322: Type 'string' is not assignable to type 'ErrorClass'. */
jobs.task({ name: 'a', retry: { on: ['TypeError'] }, run() {} })
/* expect TS2345: Property 'name' is missing */
jobs.task({ queue: 'bulk', run() {} })
/* expect TS2345: Property 'run' is missing */
jobs.task({ name: 'a', input })
/* expect TS2339: Property 'exec' does not exist */
jobs.task({ name: 'a', run: (_, { complete }) => complete((tx) => tx.exec('select 1')) })
/* expect TS2322: Index signature for type 'string' is missing in type 'Implementable<"fetch-part" */
jobs.app({ tasks: [fetchPart] })
/* expect TS2322: Type '() => void' is not assignable to type 'AnyTask | Readonly<Record<string, unknown>>'. */
jobs.app({ tasks: [() => {}] })
/* expect TS2322: Type 'number' is not assignable to type '`${number}d` | */
jobs.app({ tasks: [], shutdown: { grace: 30 } })
/* expect TS2339: Property 'getTime' does not exist */
parts['~types'].output.at.getTime()
