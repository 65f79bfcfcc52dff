import { describe, expect, test } from 'vitest'
import { describeDatabase, maskSecrets } from '../../src/model/mask.ts'

describe('maskSecrets', () => {
  test.each([
    ['postgres://u:s3cret@h:5432/d', 'postgres://u:***@h:5432/d'],
    ['at postgresql://u:s3c/r@et@h/d now', 'at postgresql://u:***@h/d now'],
    ['\'postgres://:s3cret@h/d\', "postgres://b:s3cret@h"', '\'postgres://:***@h/d\', "postgres://b:***@h"'],
    ['postgres://h/d?user=u&password=s3cret&x=1', 'postgres://h/d?user=u&password=***&x=1'],
    ['POSTGRES://U:s3cret@H/d', 'POSTGRES://U:***@H/d'],
    ["host=h password='s3 cret' user=u", 'host=h password=*** user=u'],
    ['--redis redis://:s3cret@h:6379/0', '--redis redis://:***@h:6379/0'],
    ["'rediss://u:s3c@ret@h', amqps://u:s3cret@h//", "'rediss://u:***@h', amqps://u:***@h//"],
    ['password = s3cret', 'password = ***'],
    ['postgres://u@h/d', 'postgres://u@h/d'],
    ['no secret: a@b.c', 'no secret: a@b.c'],
  ])('%s', (text, masked) => {
    expect(maskSecrets(text)).toBe(masked)
    expect(masked).not.toContain('s3')
  })
})

describe('describeDatabase', () => {
  test.each([
    ['postgres://u:s3cret@h:5432/d?sslmode=require&password=s3cret', 'postgres://u:***@h:5432/d'],
    ['postgres://h/d', 'postgres://h/d'],
    ['postgres://u:s3cret@h:99999/d', 'postgres://u:***@h:99999/d'],
    ['host=h password=s3cret', 'host=h password=***'],
  ])('%s', (url, shown) => {
    expect(describeDatabase(url)).toBe(shown)
  })
})
