import { describe, expect, test } from 'vitest'
import { isOverdue, type Legacy, resolveLegacy } from '../../src/model/legacy.ts'

describe('a legacy declaration', () => {
  test('says why and until when', () => {
    const legacy = { reason: 'the report takes an hour', until: '2027-03-31' }
    expect(resolveLegacy(legacy, 'legacy')).toEqual(legacy)
    expect(resolveLegacy(undefined, 'legacy')).toBeUndefined()
  })

  test.each([
    [{ reason: '', until: '2027-03-31' }, 'reason in legacy must say why'],
    [{ until: '2027-03-31' }, 'reason in legacy must say why'],
    [{ reason: 'x' }, "until in legacy must be a day like '2027-03-31'"],
    [{ reason: 'x', until: '31.3.2027' }, 'until in legacy must be a day'],
    [{ reason: 'x', until: '2027-02-30' }, 'until in legacy must be a day'],
    [{ reason: 'x', until: '2027-13-01' }, 'until in legacy must be a day'],
    [{ reason: 'x', until: '2027-03-31', untill: 1 }, 'legacy has no option "untill"'],
    ['2027-03-31', 'legacy must be an object'],
  ])('%o is refused', (legacy, message) => {
    expect(() => resolveLegacy(legacy as unknown as Legacy, 'legacy')).toThrow(message)
  })

  test('holds until its last day is over', () => {
    const legacy = { reason: 'x', until: '2027-03-31' }
    expect(isOverdue(legacy, new Date('2027-03-31T23:59:59.999Z'))).toBe(false)
    expect(isOverdue(legacy, new Date('2027-04-01T00:00:00Z'))).toBe(true)
  })
})
