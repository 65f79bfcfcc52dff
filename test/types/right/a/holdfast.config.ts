import { jobs } from './jobs.ts'
import * as receipts from './receipts.ts'

export default jobs.app({
  tasks: [receipts],
  shutdown: { grace: '30s', mode: 'hand-off', signals: { SIGINT: 'cold' } },
  defaults: { retry: { limit: 5 }, timeLimit: { soft: '50s', hard: '1m' } },
})
