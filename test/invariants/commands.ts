import { JOB_STEPS } from './job-steps.ts'
import { RUN_STEPS } from './run-steps.ts'
import { WORKER_STEPS } from './worker-steps.ts'

const STEPS = [...JOB_STEPS, ...RUN_STEPS, ...WORKER_STEPS]

/** What comes often stands here often. */
export const COMMANDS = STEPS.flatMap(({ arbitrary, weight }) => Array.from({ length: weight }, () => arbitrary))
export const NAMES = STEPS.map(({ name }) => name)
