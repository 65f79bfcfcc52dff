import { spawn } from 'node:child_process'
import { stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { openEmbedded } from '../../../src/store/embedded/embedded.ts'
import { strike } from '../../support/processes.ts'
import { answers, ask, end, keepersOf, makeProject, openSession, until } from './processes.ts'

// Real disks and processes: quick by itself, slow beside others.
vi.setConfig({ testTimeout: 60_000 })

test('a server whose only user was killed serves the next one, and is stopped when nobody comes', async () => {
  await using project = await makeProject()
  const starter = project.start()
  const { url } = await starter.opened()
  await starter.kill()
  const next = project.start()
  expect((await next.opened()).url).toBe(url)
  expect(await answers(url)).toBe(true)

  await next.kill()
  await until(async () => (await project.serverPid()) === undefined, 'the keeper has stopped the server')
  expect(await answers(url)).toBe(false)
})

test('a server is adopted, and stopped by the last user, when its keeper was killed too', async () => {
  await using project = await makeProject()
  const starter = project.start()
  await starter.opened()
  const pid = await project.serverPid()
  await until(async () => (await keepersOf(project.folder)).length === 1, 'there is a keeper')
  for (const keeper of await keepersOf(project.folder)) process.kill(keeper, 'SIGKILL')
  await starter.kill()
  await sleep(1_000)
  expect(await project.serverPid()).toBe(pid)

  const next = await openEmbedded({ folder: project.folder })
  expect(await project.serverPid()).toBe(pid)
  await next.release()
  expect(await project.serverPid()).toBeUndefined()
})

test('a killed server is started again under its users, with what was committed', async () => {
  await using project = await makeProject()
  await using open = await openEmbedded({ folder: project.folder })
  await ask(open.url, 'create table kept as select 1 as n')
  const pid = await project.serverPid()
  strike(pid, 'SIGKILL')
  await until(() => answers(open.url), 'the server answers again')
  expect(await project.serverPid()).not.toBe(pid)
  expect(await ask(open.url, 'select n from kept')).toEqual([{ n: 1 }])
})

test('a start after everything was killed recovers what was committed', async () => {
  await using project = await makeProject()
  const starter = project.start()
  const { url } = await starter.opened()
  await ask(url, 'create table kept as select 1 as n')
  await until(async () => (await keepersOf(project.folder)).length === 1, 'there is a keeper')
  for (const keeper of await keepersOf(project.folder)) process.kill(keeper, 'SIGKILL')
  strike(await project.serverPid(), 'SIGKILL')
  await starter.kill()

  await using next = await openEmbedded({ folder: project.folder })
  expect(await ask(next.url, 'select n from kept')).toEqual([{ n: 1 }])
})

test('a start that is killed at any moment leaves nothing that the next one trips over', async () => {
  await using project = await makeProject()
  for (const delay of [60, 90, 120, 200, 350, 500, 650]) {
    const killed = project.start()
    await sleep(delay)
    await killed.kill()
  }
  await using next = await openEmbedded({ folder: project.folder })
  expect(await ask(next.url, 'select 1 as one')).toEqual([{ one: 1 }])
})

test('a start waits for the sessions of a killed server to end', async () => {
  await using project = await makeProject()
  const starter = project.start()
  const { url } = await starter.opened()
  const session = await openSession(url)
  process.kill(session.pid, 'SIGSTOP')
  strike(await project.serverPid(), 'SIGKILL')
  await starter.kill()
  await until(async () => (await project.serverPid()) === undefined, 'the server is dead')
  const opening = openEmbedded({ folder: project.folder })
  await until(() => project.logSays('pre-existing shared memory block'), 'the server has refused')
  process.kill(session.pid, 'SIGCONT')
  await using next = await opening
  expect(await answers(next.url)).toBe(true)
})

test('a process id that somebody else has now is neither trusted nor signalled', async () => {
  await using project = await makeProject()
  await (await openEmbedded({ folder: project.folder })).release()
  // The server only minds a living process of its own user.
  const { uid } = await stat(project.data)
  const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore', cwd: '/', uid })
  try {
    const file = path.join(project.data, 'postmaster.pid')
    await writeFile(file, `${stranger.pid}\n${project.data}\n1\n1\n\n127.0.0.1\n  123 456\nready   \n`)
    const open = await openEmbedded({ folder: project.folder })
    expect(await answers(open.url)).toBe(true)
    await open.release()
    expect(stranger.signalCode).toBeNull()
  } finally {
    await end(stranger, 'SIGKILL')
  }
})
