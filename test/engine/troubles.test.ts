import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Troubles } from '../../src/engine/troubles.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['hrtime'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('says the same once a minute, however many others come in between', () => {
  const said: string[] = []
  const troubles = new Troubles((message) => said.push(message))
  for (let second = 0; second < 90; second++) {
    troubles.say('claiming: down')
    troubles.say('settling: down')
    vi.advanceTimersByTime(1_000)
  }
  expect(said).toEqual(['claiming: down', 'settling: down', 'claiming: down', 'settling: down'])
})

test('remembers only so many', () => {
  const said: string[] = []
  const troubles = new Troubles((message) => said.push(message))
  for (let n = 0; n < 250; n++) troubles.say(`port ${n}`)
  troubles.say('port 0')
  expect(said).toHaveLength(251)
})
