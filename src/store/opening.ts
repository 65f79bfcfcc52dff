import type { Queryable } from './db.ts'

/**
 * What every transaction around user code begins with. The server ends it when this process freezes inside it (a frozen transaction would
 * hide its job from the sweep); the nonce is gone when somebody else ended it. `nonce` is a UUID, `idleTimeout` in ms.
 */
export function openingCommands(idleTimeout: number, nonce: string): string {
  return `set local idle_in_transaction_session_timeout = ${Math.floor(idleTimeout)}; set local holdfast.nonce = '${nonce}'`
}

/** The same for a transaction that somebody else has begun. */
export async function applyOpening(on: Queryable, idleTimeout: number, nonce: string): Promise<void> {
  const text = `select set_config('idle_in_transaction_session_timeout', $1, true), set_config('holdfast.nonce', $2, true)`
  await on.query(text, [String(Math.floor(idleTimeout)), nonce])
}
