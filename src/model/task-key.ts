/**
 * What a claim compares: the name alone for inputs of version 1, so that apps without versions pay nothing. No name has an `@` in it.
 * The same words stand in claim.sql, lift_stragglers.sql, count_unserved.sql and find_unserved.sql.
 */
export function taskKey(name: string, version: number): string {
  return version === 1 ? name : `${name}@${version}`
}

/** The name of the task in a key. */
export function nameInKey(key: string): string {
  return key.split('@', 1)[0] as string
}
