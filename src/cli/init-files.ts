/** What `holdfast init` writes: the smallest project with a task and an iteration. It must run as it is, and without any other package. */
export const FILES: Readonly<Record<string, string>> = {
  'holdfast.config.ts': `import { countUp } from './src/jobs/count-up.ts'
import { hello } from './src/jobs/hello.ts'
import { jobs } from './src/jobs/jobs.ts'

// What \`holdfast work\` runs. The rest of your code imports from src/jobs, never from here.
export default jobs.app({
  tasks: [hello, countUp],
  // How long your platform waits between its stop signal and SIGKILL: set HOLDFAST_GRACE where the worker runs,
  // or \`shutdown: { grace: '30s' }\` here.
})
`,
  'src/jobs/jobs.ts': `import { holdfast } from 'holdfast'

// Without DATABASE_URL, a PostgreSQL of this project's own is started in .holdfast/ (never in production).
export const jobs = holdfast({ database: process.env['DATABASE_URL'], queues: { bulk: {} } })
`,
  'src/jobs/hello.ts': `import { jobs } from './jobs.ts'

// One function, run from start to end. \`await jobs.enqueue(hello)\` enqueues it, and so does \`npx holdfast enqueue hello\`.
export const hello = jobs.task({
  name: 'hello',
  timeLimit: '20s',
  retry: { limit: 5, backoff: '1s' },
  run(_, { job, log }) {
    log.info(\`hello from run \${job.run}\`)
  },
})
`,
  'src/jobs/count-up.ts': `import { setTimeout as sleep } from 'node:timers/promises'
import { range } from 'holdfast/sources'
import { jobs } from './jobs.ts'

// A collection and the work per item. Stop the worker while it runs, and start it again: it goes on where it was.
// With \`checkpoint: 'periodic'\` the last items may be done again after a crash; without it, \`each\` gets a transaction \`tx\`
// in which your writes commit together with the position: exactly once.
export const countUp = jobs.iteration({
  name: 'count-up',
  queue: 'bulk',
  checkpoint: 'periodic',
  items: () => range(0, 300),
  async each(_n) {
    await sleep(100)
  },
  done: (_, { count }) => ({ count }),
})
`,
  'DEPLOY.md': `# A deploy, while jobs run

1. \`npx holdfast deploy prepare --build "$(git rev-parse --short origin/main)"\` holds the workers until only what may be cut runs, for 10 minutes at most.
2. **Exit code 1**: all go on, and it says what was in the way (\`--ticket\`: a ticket for it). Do not deploy; try again later.
3. **Exit code 0**: pull. For a migration: \`npx holdfast deploy mark migrating\`, \`npx holdfast migrate\`, and your own.
4. Restart the workers, then \`npx holdfast deploy finish\`. Not after all? \`npx holdfast deploy abort\`: the old code goes on.

All of it in one line: \`npx holdfast deploy run --build … -- ./deploy.sh\`. Must old code not meet the new schema: with \`--require idle\`.
A rollback is the same, with the old build. Lost? \`npx holdfast deploy status\`, \`npx holdfast deploy history\`.
`,
}
