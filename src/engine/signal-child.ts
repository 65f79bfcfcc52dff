import type { ChildProcess } from 'node:child_process'

/**
 * Signals a process, if it was ever started. One that could not be has no id, and yet Node signals the number that happens to lie in its handle.
 * For want of files that was 0 in one of four tries: the group of the caller, with its supervisor, its shell and whatever else is in it.
 */
export function signalChild(child: ChildProcess | undefined, signal: NodeJS.Signals): void {
  if (child?.pid !== undefined) child.kill(signal)
}
