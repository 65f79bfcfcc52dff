import { once } from 'node:events'
import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect, test, vi } from 'vitest'
import { openEmbedded } from '../../../src/store/embedded/embedded.ts'
import { strike } from '../../support/processes.ts'
import { answers, ask, keepersOf, makeProject, until } from './processes.ts'

// Real disks and processes: quick by itself, slow beside others.
vi.setConfig({ testTimeout: 60_000 })

test('a first start makes a private UTF-8 database in UTC, a next start finds it under the same address', async () => {
  await using project = await makeProject()
  const began = performance.now()
  const first = await openEmbedded({ folder: project.folder })
  const firstStart = performance.now() - began
  await ask(first.url, 'create table kept as select 1 as n')
  expect(
    await ask(
      first.url,
      `select current_setting('server_encoding') encoding, current_setting('timezone') zone, current_setting('fsync') fsync,
         datcollversion, datlocprovider, datlocale, lower('Ä') lower from pg_database where datname = current_database()`,
    ),
  ).toMatchObject([
    { encoding: 'UTF8', zone: 'UTC', fsync: 'on', datlocprovider: 'b', datlocale: 'C.UTF-8', lower: 'ä' },
  ])
  await first.release()
  await first.release()
  expect(await answers(first.url)).toBe(false)

  const again = performance.now()
  await using second = await openEmbedded({ folder: project.folder })
  const nextStart = performance.now() - again
  expect(second.url).toBe(first.url)
  expect(await ask(second.url, 'select n from kept')).toEqual([{ n: 1 }])
  console.log(`first start ${Math.round(firstStart)} ms, next start ${Math.round(nextStart)} ms`)
  expect(firstStart).toBeLessThan(10_000)
  expect(nextStart).toBeLessThan(3_000)

  const wrong = new URL(second.url)
  wrong.password = 'guessed'
  expect(await answers(wrong.href)).toBe(false)
  expect(await readFile(path.join(project.folder, '.holdfast', '.gitignore'), 'utf8')).toBe('*\n')
  expect((await stat(path.join(project.folder, '.holdfast'))).mode & 0o777).toBe(0o700)
})

test('processes share one server, the last to leave stops it, and its keeper goes too', async () => {
  await using project = await makeProject()
  const first = project.start({ temporary: true })
  const { url } = await first.opened()
  const pid = await project.serverPid()
  const second = project.start({ temporary: true })
  expect((await second.opened()).url).toBe(url)
  expect(await project.serverPid()).toBe(pid)

  await first.leave()
  expect(await answers(url)).toBe(true)
  await second.leave()
  expect(await answers(url)).toBe(false)
  await until(async () => (await keepersOf(project.folder)).length === 0, 'the keeper is gone')
  await expect(stat(project.data)).rejects.toThrow('ENOENT')
})

test('ten processes that start at once get one server', async () => {
  await using project = await makeProject()
  const members = Array.from({ length: 10 }, () => project.start())
  const opened = await Promise.all(members.map((member) => member.opened()))
  expect(new Set(opened.map(({ url }) => url)).size).toBe(1)
  expect(await ask(opened[0]?.url ?? '', 'select 1 as one')).toEqual([{ one: 1 }])
  await until(async () => (await keepersOf(project.folder)).length === 1, 'one keeper is left')
  await Promise.all(members.map((member) => member.leave()))
  expect(await project.serverPid()).toBeUndefined()
  // Nobody's server was cut by a late leaver or started twice.
  const log = await readFile(path.join(project.folder, '.holdfast', 'pg', 'server.log'), 'utf8').catch(() => '')
  expect(log.match(/starting PostgreSQL/g) ?? []).toHaveLength(1)
})

test('several openings in one process count each', async () => {
  await using project = await makeProject()
  const [one, two] = await Promise.all([
    openEmbedded({ folder: project.folder, temporary: true }),
    openEmbedded({ folder: project.folder, temporary: true }),
  ])
  await one.release()
  expect(await answers(two.url)).toBe(true)
  await two.release()
  expect(await answers(two.url)).toBe(false)
})

test('a Ctrl-C in the terminal ends the program and leaves the server to the others', async () => {
  await using project = await makeProject()
  const starter = project.start({ temporary: true }, { detached: true })
  const { url } = await starter.opened()
  const pid = await project.serverPid()
  await using _other = await openEmbedded({ folder: project.folder, temporary: true })
  const gone = once(starter.child, 'close')
  strike(-Number(starter.child.pid), 'SIGINT')
  // `close` also says that neither the server nor the keeper holds the program's output open.
  await gone
  expect(await project.serverPid()).toBe(pid)
  expect(await answers(url)).toBe(true)
})
