import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HoldfastError } from '../model/errors.ts'

export interface Health {
  /** Why it takes no work now; undefined: it is ready. */
  readonly unready: () => Promise<string | undefined>
  /** In the text format of Prometheus. */
  readonly metrics: () => string
}

export interface HealthServer extends AsyncDisposable {
  readonly url: string
}

/**
 * What a platform asks: `/livez` (this process answers; never asks the database, for a database that is down is no reason to restart
 * workers), `/readyz` (database, schema, not draining), `/metrics`.
 */
export async function serveHealth(health: Health, port: number, host: string): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void answer(health, request.url ?? '/', response)
  })
  // A probe that never ends its request must not stay for ever.
  server.requestTimeout = 5_000
  server.unref()
  await listen(server, port, host)
  const { address, port: bound } = server.address() as AddressInfo
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${bound}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function answer(health: Health, url: string, response: ServerResponse): Promise<void> {
  const say = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
    response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text)
  }
  switch (url.split('?')[0]) {
    case '/livez':
      return say(200, 'ok\n')
    case '/readyz': {
      const why = await health.unready()
      return why === undefined ? say(200, 'ok\n') : say(503, `${why}\n`)
    }
    case '/metrics':
      return say(200, health.metrics(), 'text/plain; version=0.0.4; charset=utf-8')
    default:
      return say(404, 'There is /livez, /readyz and /metrics.\n')
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFailure(error, port, host)))
    server.listen(port, host, () => {
      server.removeAllListeners('error')
      resolve()
    })
  })
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'nobody knows a host of that name',
  EAI_AGAIN: 'the name of the host cannot be looked up now',
  EACCES: 'this user may not listen there: ports below 1024 are often for root alone',
}

function listenFailure(error: NodeJS.ErrnoException, port: number, host: string): HoldfastError {
  const why = REASONS[error.code ?? ''] ?? error.message
  return new HoldfastError('HF_LISTEN', `Port ${port} of ${host} cannot be listened to: ${why}.`, { cause: error })
}
