import { execFile } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { tellBlackbox } from '../../src/engine/blackbox.ts'

const verdict = { kind: 'hard-limit', message: 'too long', job: undefined } as never

test('whoever tells the black box knows whether it was heard', async () => {
  expect(tellBlackbox(undefined, verdict)).toBe(false)
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-box-'))
  const pipe = path.join(folder, 'pipe')
  await promisify(execFile)('mkfifo', [pipe])
  // Both ends, so that opening them waits for nobody.
  const both = openSync(pipe, 'r+')
  const end = openSync(pipe, 'w')
  expect(tellBlackbox(end, verdict)).toBe(true)
  closeSync(both)
  // Its reader is gone.
  expect(tellBlackbox(end, verdict)).toBe(false)
  closeSync(end)
  await rm(folder, { recursive: true })
})
