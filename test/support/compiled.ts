import path from 'node:path'

/**
 * For the environment of the processes that tests start, hundreds of them: each would strip the types of all sources anew, 0.3 of its 0.4 s of
 * processor time. Node looks at what a file holds, not at how old it is.
 */
export const COMPILED = { NODE_COMPILE_CACHE: path.join(import.meta.dirname, '../../node_modules/.cache/compiled') }
