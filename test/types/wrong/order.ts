import { batches, csv } from 'holdfast/sources'
import { z } from 'zod'
import { jobs } from '../right/a/jobs.ts'

// Written in another order than they run: TypeScript infers from left to right. The rule stands in the docstring of IterationBody.
/* expect TS18046: 'row' is of type 'unknown'. */
jobs.iteration({ name: 'a', each(row) { row['a']?.length }, items: (_, { partition }) => csv(`${partition.index}`) })
/* expect TS18046: 'row' is of type 'unknown'. */
jobs.iteration({ name: 'a', input: z.object({ f: z.string() }), each(row) { row['a']?.length }, items: ({ f }) => csv(f) })
/* expect TS2322: Type 'number' is not assignable to type 'Promise<readonly Record<string, string>[]> | */
jobs.iteration({ name: 'a', items: () => batches(csv('f'), 10), each(row) { row[0]?.['a']?.length }, prepare: (rows) => rows.length })
