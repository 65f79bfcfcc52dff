import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, test } from 'vitest'
import { DeathWatch } from '../../src/engine/death-watch.ts'
import { memoryKills } from '../../src/engine/memory-kills.ts'

const EVENTS = (kills: number) => `low 0\nhigh 0\nmax 71\noom 2\noom_kill ${kills}\noom_group_kill 0\n`
const CONTROL = (kills: number) => `oom_kill_disable 0\nunder_oom 0\noom_kill ${kills}\n`

/** What these files say in a file system that has nothing else. */
function killsIn(files: Readonly<Record<string, string>>): number | undefined {
  const root = mkdtempSync(path.join(tmpdir(), 'holdfast-groups-'))
  try {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.join(root, path.dirname(name)), { recursive: true })
      writeFileSync(path.join(root, name), text)
    }
    return memoryKills(root)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

describe('the kills for want of memory in its own control group', () => {
  test.each([
    [
      'version 2, on the host',
      {
        'proc/self/cgroup': '0::/system.slice/app.service\n',
        'sys/fs/cgroup/system.slice/app.service/memory.events': EVENTS(3),
      },
      3,
    ],
    [
      'version 2, in a container that sees its own group as the root',
      { 'proc/self/cgroup': '0::/\n', 'sys/fs/cgroup/memory.events': EVENTS(1) },
      1,
    ],
    [
      'version 2, in a container that is told the path on the host',
      { 'proc/self/cgroup': '0::/docker/4f1c\n', 'sys/fs/cgroup/memory.events': EVENTS(0) },
      0,
    ],
    [
      'version 1, on the host',
      {
        'proc/self/cgroup': '9:name=systemd:/\n4:memory:/jobs/a\n2:cpu,cpuacct:/\n0::/\n',
        'sys/fs/cgroup/memory/jobs/a/memory.oom_control': CONTROL(2),
        'sys/fs/cgroup/memory/memory.oom_control': CONTROL(9),
      },
      2,
    ],
    [
      'version 1, in a container',
      {
        'proc/self/cgroup': '5:cpu,memory:/docker/4f1c\n',
        'sys/fs/cgroup/memory/memory.oom_control': CONTROL(4),
      },
      4,
    ],
    [
      'a kernel that does not count',
      {
        'proc/self/cgroup': '4:memory:/\n',
        'sys/fs/cgroup/memory/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\n',
      },
      undefined,
    ],
    ['the root group, which has no events', { 'proc/self/cgroup': '0::/\n' }, undefined],
    ['no Linux', {}, undefined],
  ])('%s', (_, files, kills) => expect(killsIn(files)).toBe(kills))
})

describe('what a process died of', () => {
  const heap = '\nFATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n'
  test.each([
    ['a kill while the count rose', [0, 1], null, 'SIGKILL', '', 'system'],
    ['the same, seen through a shell', [0, 1], 137, null, '', 'system'],
    ['a kill by hand', [4, 4], null, 'SIGKILL', '', undefined],
    ['a kill where nobody counts', [undefined, undefined], null, 'SIGKILL', '', 'unknown'],
    ['a code that only looks like one', [undefined, undefined], 137, null, '', undefined],
    ['another signal while the count rose', [0, 1], null, 'SIGSEGV', '', undefined],
    ['another code while the count rose', [0, 1], 1, null, '', undefined],
    ['a full heap', [0, 0], null, 'SIGABRT', heap, 'heap'],
    ['the same, seen through a shell', [0, 0], 134, null, heap, 'heap'],
    ['code that prints the same and exits', [0, 0], 1, null, heap, undefined],
  ])('%s', (_, counts, code, signal, printed, oom) => {
    const left = [...counts]
    const deathOf = new DeathWatch(() => left.shift()).born()
    expect(deathOf(code, signal, printed)).toEqual({ code, signal, oom })
  })

  /** Of a machine whose time and count the test turns. */
  function machine() {
    const state = { count: 5, now: 0 }
    const watch = new DeathWatch(
      () => state.count,
      () => state.now,
    )
    return { state, watch }
  }
  const killed = (deathOf: ReturnType<DeathWatch['born']>) => deathOf(null, 'SIGKILL').oom

  test('a kill that was long ago, of somebody else in the group, is not its own', () => {
    const { state, watch } = machine()
    const deathOf = watch.born()
    state.count++
    watch.look()
    state.now += 3_000
    expect(killed(deathOf)).toBeUndefined()
  })

  test('nor one from before it was born', () => {
    const { state, watch } = machine()
    watch.born()
    state.count++
    watch.look()
    state.now += 10
    expect(killed(watch.born())).toBeUndefined()
  })

  test('one that takes its time to die is still known', () => {
    const { state, watch } = machine()
    const deathOf = watch.born()
    state.count++
    watch.look()
    state.now += 2_900
    watch.look()
    expect(killed(deathOf)).toBe('system')
  })

  test('one kill is one death', () => {
    const { state, watch } = machine()
    const all = [watch.born(), watch.born(), watch.born()]
    state.count += 2
    expect(all.map(killed)).toEqual(['system', 'system', undefined])
  })
})
