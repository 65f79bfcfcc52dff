/** ms on the machine's monotonic clock: all processes of the machine share it, and it never jumps. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
