import type { IterationBody, TaskBody } from './body.ts'
import type { Contract, Task } from './contract.ts'
import type { Json } from './json-type.ts'

/** The declared result if there is one, else what the body returns, as JSON brings it back. */
export type ResultOfBody<Declared, Returned> = unknown extends Declared ? Json<Returned> : Declared

/** A contract that can be given a body: safe to import in a web server, which needs no worker code. */
export interface Implementable<Name extends string, In, Parsed, Out, Q extends string, Tx, V extends number = number>
  extends Contract<Name, In, Out> {
  /** The task of this contract: one function, run from start to end. */
  task<O extends Out>(body: TaskBody<Q, Tx, Parsed, O, In, V>): Task<Name, In, ResultOfBody<Out, O>>
  /** The iteration of this contract: a collection and the work per item, resumed where it was interrupted. */
  iteration<Item, Ready = Item, M extends 'transactional' | 'periodic' = 'transactional', O extends Out = Out>(
    body: IterationBody<Q, Tx, Parsed, Item, Ready, M, O, In, V>,
  ): Task<Name, In, ResultOfBody<Out, O>>
}
