import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FileLock, waitForLock } from '../../../src/store/embedded/file-lock.ts'
import { end, until } from './processes.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-lock-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('shared holders exclude an exclusive one, and the other way round, inside one process', () => {
  const file = path.join(folder, 'one')
  const [a, b] = [FileLock.shared(file), FileLock.shared(file)]
  expect(a).toBeDefined()
  expect(b).toBeDefined()
  a?.release()
  expect(FileLock.exclusive(file)).toBeUndefined()
  b?.release()
  const alone = FileLock.exclusive(file)
  expect(alone).toBeDefined()
  expect(FileLock.shared(file)).toBeUndefined()
  expect(FileLock.exclusive(file)).toBeUndefined()
  alone?.release()
  alone?.release()
  expect(FileLock.shared(file)).toBeDefined()
})

test.each(['shared', 'exclusive'] as const)('a %s lock ends with its process, by SIGKILL too', async (kind) => {
  const file = path.join(folder, `two-${kind}`)
  const module = new URL('../../../src/store/embedded/file-lock.ts', import.meta.url).href
  const program = `import { FileLock } from ${JSON.stringify(module)}
    globalThis.kept = FileLock.${kind}(${JSON.stringify(file)})
    console.log(kept ? 'held' : 'refused')
    setInterval(() => {}, 1000)`
  const holder = spawn(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program])
  try {
    expect(String((await once(holder.stdout, 'data'))[0])).toBe('held\n')
    expect(FileLock.exclusive(file)).toBeUndefined()
    await expect(waitForLock(() => FileLock.exclusive(file), file, 50)).rejects.toMatchObject({
      code: 'HF_EMBEDDED_BUSY',
    })
  } finally {
    await end(holder, 'SIGKILL')
  }
  await until(async () => FileLock.exclusive(file) !== undefined, 'the lock is free')
})
