import type { Message } from './child.ts'

/** For programs: what the parent gave them. */
export function config<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

export function say(said: string, data: object = {}): void {
  process.send?.({ said, ...data })
}

/** Answers the parent's messages by name. A program whose parent is gone ends. */
export function answer(handlers: Readonly<Record<string, (message: Message) => void | Promise<void>>>): void {
  process.on('message', (message: Message) => void handlers[message.said]?.(message))
  process.once('disconnect', () => process.exit(1))
}
