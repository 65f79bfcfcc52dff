import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Child } from '../../../src/deploy/supervisor/child.ts'
import { openProcess } from '../../../src/engine/isolation/process-cell.ts'
import type { Death } from '../../../src/model/death.ts'

const ignore = (): void => {}

test('a process that cannot be started, for the system call throws, has ended: whoever wanted it tries again later', async () => {
  // As for want of memory: thrown at once.
  const child = new Child({ command: ['\0'], env: {}, onStarted: ignore })
  expect(child.pid).toBeUndefined()
  expect(await child.ended).toMatchObject({ code: 1, signal: null, thrown: expect.stringContaining('null bytes') })
  let created = false
  const death = await new Promise<Death>((resolve) => {
    const onDeath = (died: Death): void => {
      expect(created).toBe(true)
      resolve(died)
    }
    openProcess({ entry: new URL('file:///%00'), heapMb: undefined }, { onReport: ignore, onOutput: ignore, onDeath })
    created = true
  })
  expect(death).toMatchObject({ code: null, thrown: expect.stringContaining('null bytes') })
})

test('the same when no more files can be opened, and whoever kills it signals nobody', async () => {
  const fixture = fileURLToPath(new URL('../../fixtures/no-files.ts', import.meta.url))
  const { stdout } = await promisify(execFile)('sh', ['-c', 'ulimit -n 64; exec "$0" "$1"', process.execPath, fixture])
  expect(JSON.parse(stdout)).toMatchObject({
    deaths: [
      { code: 1, thrown: expect.stringContaining('EMFILE') },
      { code: null, thrown: expect.stringContaining('EMFILE') },
    ],
    astray: [],
  })
})
