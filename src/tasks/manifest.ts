import type { ResolvedConfig } from '../model/config.ts'
import type { Legacy } from '../model/legacy.ts'
import { sanitizeText } from '../model/text.ts'
import type { TaskDefinition } from './definition.ts'
import { type InputManifest, inputManifest, withoutSchema } from './schema-manifest.ts'

/**
 * What a worker says of its code when it registers: enough to tell, from anywhere that reaches the database, how two builds differ. Plain
 * JSON; read by other releases, so fields are added and never change their meaning.
 */
export interface Manifest {
  readonly format: typeof FORMAT
  readonly policy: {
    /** ms */
    readonly maxRun: number
    /** ms */
    readonly maxFinish: number
  }
  /** By name. */
  readonly tasks: readonly TaskManifest[]
}

export interface TaskManifest {
  readonly name: string
  readonly aliases: readonly string[]
  readonly queue: string
  readonly kind: 'task' | 'iteration'
  readonly interrupt: 'finish' | 'restart' | 'resume'
  readonly delivery: 'at-least-once' | 'at-most-once'
  /** Of the inputs that this code writes. */
  readonly version: number
  /** Of the inputs that it takes, the oldest first. */
  readonly versions: readonly number[]
  /** null: it takes none. */
  readonly input: InputManifest | null
  readonly limits: {
    /** ms; null: none. */
    readonly soft: number | null
    readonly hard: number | null
    readonly stallAfter: number | null
    /** The task says its limit itself; what others have depends on the grace of the machine, too. */
    readonly own: boolean
  }
  readonly legacy: Legacy | null
}

/** Raised when a reader of the past could no longer make sense of it. */
const FORMAT = 1
/** Of all schemas together, as JSON: beyond it their hashes must do. */
const MAX_SCHEMA_BYTES = 256 * 1024
const MAX_REASON_BYTES = 500

/** @param tasks with the limits under which they run. */
export function manifestOf(
  tasks: readonly TaskDefinition[],
  config: Pick<ResolvedConfig, 'maxRunMs' | 'maxFinishMs'>,
): Manifest {
  const sorted = [...tasks].sort((one, other) => (one.name < other.name ? -1 : 1)).map(taskManifest)
  const bytes = sorted.reduce((sum, task) => sum + JSON.stringify(task.input?.schema ?? null).length, 0)
  return {
    format: FORMAT,
    policy: { maxRun: config.maxRunMs, maxFinish: config.maxFinishMs },
    tasks: bytes <= MAX_SCHEMA_BYTES ? sorted : sorted.map((task) => ({ ...task, input: withoutSchema(task.input) })),
  }
}

/** Every key is there, in one order: two manifests are the same when their texts are. */
function taskManifest(task: TaskDefinition): TaskManifest {
  const { timeLimit, stallAfter, ownLimit, legacy } = task
  return {
    name: task.name,
    aliases: [...task.aliases].sort(),
    queue: task.queue,
    kind: task.kind,
    interrupt: task.interrupt,
    delivery: task.delivery,
    version: task.version,
    versions: [...task.versions],
    input: inputManifest(task.input),
    limits: {
      soft: timeLimit?.soft ?? null,
      hard: timeLimit?.hard ?? null,
      stallAfter: stallAfter ?? null,
      own: ownLimit,
    },
    legacy:
      legacy === undefined ? null : { reason: sanitizeText(legacy.reason, MAX_REASON_BYTES), until: legacy.until },
  }
}

/** What another worker registered; undefined: it is of a release that writes it otherwise. */
export function readManifest(value: unknown): Manifest | undefined {
  const { format, policy, tasks } = (value ?? {}) as Partial<Manifest>
  return format === FORMAT && typeof policy === 'object' && Array.isArray(tasks) ? (value as Manifest) : undefined
}
