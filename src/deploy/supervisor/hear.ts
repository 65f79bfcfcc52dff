import type { ChildMessage } from './messages.ts'

type Fields = Readonly<Record<string, unknown>>
type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const isFlag: Check = (value) => typeof value === 'boolean'
const isCount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0
const isCounts: Check = (value) => isRecord(value) && Object.values(value).every(isCount)
const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value)
const shaped =
  (shape: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isRecord(value) && Object.entries(shape).every(([field, check]) => check(value[field]))

const isDrained = shaped({ left: isCount, handedOff: isCount, finished: isCount, ms: isCount })
const isUnserved = shaped({ queue: isText, task: isText, version: isCount, jobs: isCount, lack: isText })
const areUnserved: Check = (value) => Array.isArray(value) && value.every(isUnserved)

const KINDS: Readonly<Record<ChildMessage['kind'], Check>> = {
  started: shaped({ key: isCount, name: isText, url: isText, schema: isText, graceMs: isCount, tasks: isRecord }),
  beat: shaped({
    ...{ key: isCount, running: isCount, slots: isCount, claiming: isFlag },
    ...{ settled: isCounts, worries: isCounts, unserved: areUnserved },
  }),
  stopping: isRecord,
  stopped: shaped({ drained: maybe(isDrained), late: maybe(isFlag) }),
}

/**
 * What a worker process said to its supervisor; undefined: it is none of ours. Code of the app has the same channel (`process.send('ready')`
 * is how PM2 wants to be told), and nothing that it sends may hurt the supervisor.
 */
export function childMessageOf(value: unknown): ChildMessage | undefined {
  if (!isRecord(value) || !Object.hasOwn(KINDS, String(value['kind']))) return undefined
  return KINDS[value['kind'] as ChildMessage['kind']](value) ? (value as unknown as ChildMessage) : undefined
}

function isRecord(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
