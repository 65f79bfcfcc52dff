/** ms on a clock that never jumps and that the threads of one process share. For lengths of time only: moments are the database's. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
