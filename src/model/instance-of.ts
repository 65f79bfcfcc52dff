/** `instanceof` for values of users: a Proxy answers it with code of its own, which may throw. Then it is none. */
export function isInstance<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type
  } catch {
    return false
  }
}
