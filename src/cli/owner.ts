import { hostname, userInfo } from 'node:os'

/** Who gives this command: `anna@laptop`. */
export function ownerName(): string {
  return `${userName()}@${hostname()}`
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A container may run as a number that has no name.
    return `uid ${process.getuid?.() ?? '?'}`
  }
}
