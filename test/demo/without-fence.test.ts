import { expect, test } from 'vitest'
import { demo, nothingIsLeft, TIMEOUT } from './support.ts'

test('without the fence, a woken worker doubles rows', { timeout: TIMEOUT }, async () => {
  const { code, verdict, story } = await demo('--every', '1s', '--mutate', 'drop-fence')
  expect(verdict.duplicates, story).toBeGreaterThan(0)
  expect(code, story).toBe(1)
  await nothingIsLeft()
})
