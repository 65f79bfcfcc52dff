const MAX_SHOWN = 60

/**
 * An offending value as an error message shows it: short, on one line, safe for any value.
 * Anything but a primitive is named by its kind only, since reading it could run code or print a secret.
 */
export function show(value: unknown): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value)
    case 'bigint':
      return 'a bigint'
    case 'symbol':
      return 'a symbol'
    case 'function':
      return 'a function'
    case 'object':
      return kindOf(value)
    default:
      return String(value)
  }
}

/** `a Date`, `an array`, `an object`: what an object is, even when looking at it throws. */
export function kindOf(value: object): string {
  try {
    if (Array.isArray(value)) return 'an array'
    const name: unknown = Object.getPrototypeOf(value)?.constructor?.name
    if (typeof name !== 'string' || name === '' || name === 'Object') return 'an object'
    const shown = name.slice(0, MAX_SHOWN)
    return /^[AEIO]/i.test(shown) ? `an ${shown}` : `a ${shown}`
  } catch {
    return 'an object' // a revoked Proxy, or a trap that throws
  }
}
