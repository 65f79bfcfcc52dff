import { range } from 'holdfast/sources'
import { z } from 'zod'
import { jobs } from '../right/a/jobs.ts'
import { send } from '../right/d/versions.ts'

const input = z.object({ order: z.string() })

// The last step gives what the schema takes.
/* expect TS2322: Type 'number' is not assignable to type 'string'. */
jobs.task({ name: 'a', version: 2, input, upgrade: { 1: (old: { id: number }) => ({ order: old.id }) }, run() {} })
/* expect TS2322: Property 'at' is missing in type '{ order: string; }' but required in type '{ order: string; at: string; }' */
send.task({ upgrade: { 2: () => ({ order: '' }) }, run() {} })
/* expect TS2322: Property 'order' is missing in type '{ id: number; }' but required in type '{ order: string; }' */
jobs.iteration({ name: 'a', version: 2, input, upgrade: { 1: async () => ({ id: 1 }) }, items: () => range(0, 1), each() {} })
// No step leads from a version that is not older.
/* expect TS2353: Object literal may only specify known properties, and '2' does not exist in type '{ readonly 1?: */
jobs.task({ name: 'a', version: 2, input, upgrade: { 2: () => ({ order: '' }) }, run() {} })
/* expect TS2322: is not assignable to type '"holdfast: there is nothing before version 1, raise `version`"'. */
jobs.task({ name: 'a', input, upgrade: { 1: () => ({ order: '' }) }, run() {} })
/* expect TS2353: Object literal may only specify known properties, and '3' does not exist */
send.task({ upgrade: { 3: () => ({ order: '', at: '' }) }, run() {} })
// What older code enqueued is not known to the compiler.
/* expect TS18046: 'old' is of type 'unknown'. */
jobs.task({ name: 'a', version: 2, input, upgrade: { 1: (old) => ({ order: old.id }) }, run() {} })
/* expect TS2322: Type 'number' is not assignable to type */
jobs.task({ name: 'a', version: 2, input, upgrade: { 1: 1 }, run() {} })
// Only iterations have a cursor.
/* expect TS2353: 'upgradeCursor' does not exist in type */
jobs.task({ name: 'a', version: 2, input, upgradeCursor: {}, run() {} })
