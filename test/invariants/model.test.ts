import fc from 'fast-check'
import { expect, test } from 'vitest'
import { useStages } from '../support/stage.ts'
import type { Real } from './command.ts'
import { COMMANDS, NAMES } from './commands.ts'
import { Model } from './model.ts'
import { empty, holdsTogether } from './store.ts'
import { register } from './worker-steps.ts'

/** `HOLDFAST_MODEL_RUNS=2000 npx vitest run test/invariants` looks longer; `HOLDFAST_MODEL_SEED` repeats a run that failed. */
const RUNS = Number(process.env['HOLDFAST_MODEL_RUNS'] ?? 40)
const SEED = Number(process.env['HOLDFAST_MODEL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const COMMANDS_A_RUN = 150

const stages = useStages()

test(
  `any sequence of operations leaves every job where the model has it (seed ${SEED})`,
  async () => {
    await using stage = await stages()
    const tally = new Map<string, number>()
    const sequences = fc.commands(COMMANDS, { maxCommands: COMMANDS_A_RUN, size: 'max' })
    await fc.assert(
      fc.asyncProperty(sequences, async (commands) => {
        await empty(stage)
        let made = 0
        const nextId = () => `01990000-0000-7000-8000-${(++made).toString(16).padStart(12, '0')}`
        const model = new Model()
        const real: Real = { stage, db: stage.db, marks: new Map(), nextId, tally }
        for (const slot of [0, 1, 2]) await register(model, real, slot)
        await fc.asyncModelRun(() => ({ model, real }), commands)
        await holdsTogether(stage, new Set(model.jobs.keys()))
      }),
      { seed: SEED, numRuns: RUNS, endOnFailure: process.env['HOLDFAST_MODEL_SHRINK'] === 'no', verbose: 1 },
    )
    // A run that never met a refusal, or left a command out, has proved nothing.
    const missing = NAMES.filter((name) => !tally.has(name) && !tally.has(`${name} refused`))
    expect(missing, 'commands that never ran').toEqual([])
    const never = ['start', 'save a checkpoint', 'end', 'put away', 'hand back', 'fan out', 'load the checkpoint']
    expect(
      never.filter((name) => !tally.has(`${name} refused`)),
      'never refused',
    ).toEqual([])
  },
  60_000 + RUNS * 2_000,
)
