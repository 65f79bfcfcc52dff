import { execFile } from 'node:child_process'

/**
 * Tells systemd, when it waits for that (`Type=notify` sets NOTIFY_SOCKET). Node has no datagram sockets of this kind, so systemd's own
 * program sends the word; since it is another process, the unit needs `NotifyAccess=all`.
 */
function notify(socket: string | undefined, ...words: string[]): void {
  if (!socket) return
  const child = execFile('systemd-notify', words, { timeout: 2_000 }, () => {})
  child.unref()
}

/** Every worker process is at work. */
export function sayReady(socket: string | undefined): void {
  notify(socket, '--ready', `--pid=${process.pid}`)
}

export function sayStopping(socket: string | undefined): void {
  notify(socket, '--stopping')
}
