import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type DeploySystem, QUEUE, SLOTS } from './system.ts'

const run = promisify(execFile)
const VENV = fileURLToPath(new URL('../../.venv/bin/', import.meta.url))
const FOLDER = fileURLToPath(new URL('../../programs/', import.meta.url))

/** Started by `test/fleets/install.sh`. */
export function celery(broker: string | undefined): DeploySystem {
  const env = { BENCH_BROKER: broker ?? '', PYTHONPATH: FOLDER, PYTHONDONTWRITEBYTECODE: '1' }
  const python = async (...words: string[]) => {
    const { stdout } = await run(`${VENV}python`, [`${FOLDER}deploy_celery.py`, ...words], {
      env: { PATH: process.env['PATH'], ...env },
    })
    return stdout
  }
  return {
    name: 'celery',
    missing: why(broker),
    version: version(),
    settings: `RabbitMQ, a plain task with acks_late, -c ${SLOTS}, everything else as it comes; its own signal handlers (warm shutdown)`,
    async prepare(count) {
      await python('send', String(count))
    },
    worker: () => ({
      command: [
        `${VENV}celery`,
        '-A',
        'deploy_celery',
        'worker',
        '-c',
        String(SLOTS),
        '-Q',
        QUEUE,
        '-n',
        `w${++workers}@bench`,
      ],
      env,
    }),
    // Asked when no worker is left: then the broker has back what they had in their hands.
    census: async () => ({ stored: Number(await python('count')), failed: 0 }),
    close: async () => {},
  }
}

let workers = 0

function why(broker: string | undefined): string | undefined {
  if (!existsSync(`${VENV}celery`)) return 'celery is not installed: test/fleets/install.sh'
  return broker === undefined ? 'rabbitmq-server is not installed: test/fleets/install.sh' : undefined
}

function version(): string {
  const text = readFileSync(new URL('../../requirements.txt', import.meta.url), 'utf8')
  return /^celery\S*==(\S+)/m.exec(text)?.[1] ?? ''
}
