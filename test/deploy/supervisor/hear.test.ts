import { expect, test } from 'vitest'
import { childMessageOf } from '../../../src/deploy/supervisor/hear.ts'

const started = { kind: 'started', key: 1, name: 'a', url: 'postgres://', schema: 'holdfast', graceMs: 1, tasks: {} }
const unserved = { queue: 'mail', task: 'send', version: 1, jobs: 2, lack: 'task' }
const beat = {
  ...{ kind: 'beat', key: 1, running: 0, slots: 10, claiming: true },
  ...{ settled: { complete: 3 }, worries: {}, unserved: [unserved] },
}
const drained = { left: 0, handedOff: 1, finished: 2, ms: 3.5 }

test.each([started, beat, { kind: 'stopping' }, { kind: 'stopped' }, { kind: 'stopped', drained, late: true }])(
  'heard: %j',
  (message) => {
    expect(childMessageOf(message)).toBe(message)
  },
)

test.each([
  ...[
    'ready',
    '',
    0,
    null,
    undefined,
    true,
    [],
    [started],
    {},
    { kind: 'ready' },
    { kind: 'toString' },
    { kind: ['beat'] },
  ],
  ...Object.keys(started).map((field) => ({ ...started, [field]: null })),
  ...Object.keys(beat).map((field) => ({ ...beat, [field]: undefined })),
  ...[
    { ...beat, settled: { complete: '3' } },
    { ...beat, unserved: [null] },
    { ...beat, unserved: [{}] },
  ],
  ...[
    { ...beat, running: Number.NaN },
    { ...beat, running: -1 },
    { ...started, url: 5432 },
  ],
  ...[null, 0, {}, { ...drained, left: '0' }].map((word) => ({ kind: 'stopped', drained: word })),
  { kind: 'stopped', late: 'yes' },
])('not ours: %j', (message) => {
  expect(childMessageOf(message)).toBeUndefined()
})
