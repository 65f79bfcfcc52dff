import type { Legacy } from '../../model/legacy.ts'
import type { Database } from '../../store/db.ts'
import type { DeployScope } from '../../store/deploys.ts'
import { type HeldWorker, heldWorkers, manifestsOf, type RunningJob, runningJobs } from '../../store/gate.ts'
import { readManifest, type TaskManifest } from '../../tasks/manifest.ts'

/** What a job's own worker says of its task. */
export interface TaskFacts {
  readonly interrupt: 'finish' | 'restart' | 'resume'
  readonly delivery: 'at-least-once' | 'at-most-once'
  /** ms; null: none. */
  readonly soft: number | null
  readonly hard: number | null
  readonly legacy: Legacy | null
  /** It is a release's that writes its manifest otherwise: nothing is known. */
  readonly known: boolean
}

export interface SeenJob extends RunningJob {
  readonly workerName: string
  readonly facts: TaskFacts
}

/** The workers of a deploy and what they run, at one moment. */
export interface View {
  readonly workers: readonly HeldWorker[]
  /** The oldest first. */
  readonly jobs: readonly SeenJob[]
}

/** Of what nobody knows, a deploy may not assume that it can be cut. */
const UNKNOWN: TaskFacts = {
  interrupt: 'finish',
  delivery: 'at-least-once',
  soft: null,
  hard: null,
  legacy: null,
  known: false,
}

/** Looks at workers and their jobs. What a worker says of its tasks is read once: it cannot change while it lives. */
export class Viewer {
  readonly #db: Database
  readonly #facts = new Map<number, ReadonlyMap<string, TaskFacts>>()

  constructor(db: Database) {
    this.#db = db
  }

  async look(at: { readonly deploy: number } | (DeployScope & { readonly build: string | undefined })): Promise<View> {
    const workers = await heldWorkers(this.#db, at)
    const keys = workers.map(({ key }) => key)
    const [jobs] = await Promise.all([runningJobs(this.#db, keys), this.#learn(keys)])
    const names = new Map(workers.map(({ key, name }) => [key, name]))
    return {
      workers,
      jobs: jobs.map((job) => ({
        ...job,
        workerName: names.get(job.worker) ?? String(job.worker),
        facts: this.#facts.get(job.worker)?.get(job.task) ?? UNKNOWN,
      })),
    }
  }

  async #learn(keys: readonly number[]): Promise<void> {
    const strangers = keys.filter((key) => !this.#facts.has(key))
    for (const [key, manifest] of await manifestsOf(this.#db, strangers)) this.#facts.set(key, factsOf(manifest))
  }
}

/** By every name that jobs of them may have. */
function factsOf(manifest: unknown): ReadonlyMap<string, TaskFacts> {
  const tasks = readManifest(manifest)?.tasks ?? []
  return new Map(tasks.flatMap((task) => [task.name, ...task.aliases].map((name) => [name, factsOfTask(task)])))
}

function factsOfTask({ interrupt, delivery, limits: { soft, hard }, legacy }: TaskManifest): TaskFacts {
  return { interrupt, delivery, soft, hard, legacy, known: true }
}
