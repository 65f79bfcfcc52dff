import type { Stage } from './stage.ts'

const USUAL_MS = 300
const RUNS = 8
/** Longer than the deploy waits. */
const SLOW_MS = 12_000

/** Two kinds of tasks that a deploy must wait for: a slow one, and one that was declared as legacy. */
export async function offenders(stage: Stage): Promise<void> {
  await stage.release(1)
  stage.step('A worker, and some ordinary work: from now on Holdfast knows how long a charge-card usually takes')
  await stage.supervise([stage.worker('worker-1')])
  for (let n = 1; n <= RUNS; n++) await stage.enqueue('charge-card', `usual ${n}`, USUAL_MS)
  for (let n = 1; n <= RUNS; n++) await stage.noted('charge-card', `usual ${n}`, 'end')

  stage.step(
    "A charge-card that hangs, a close-books in one large transaction, and a rebuild-index, which is in nobody's way",
  )
  const [slow, books] = await Promise.all([
    stage.enqueue('charge-card', 'slow', SLOW_MS),
    stage.enqueue('close-books', 'all', SLOW_MS),
    stage.enqueue('rebuild-index', 'index', 300),
  ])
  await Promise.all([stage.noted('charge-card', 'slow', 'begin'), stage.noted('close-books', 'all', 'begin')])
  const dry = await stage.run('holdfast deploy prepare --dry-run')
  const { code, out } = await stage.run("holdfast deploy prepare --timeout 2s --reason 'release 2' --ticket")

  stage.step('The same for programs and for later: the history keeps who was in the way')
  await stage.run('holdfast deploy history')
  const [row] = await stage.history()
  const report = JSON.parse(row?.report ?? '{}') as {
    offenders?: { task: string; job: string; p95Ms: number | null }[]
  }
  const kept = new Map((report.offenders ?? []).map((each) => [each.job, each]))
  await Promise.all([stage.noted('charge-card', 'slow', 'end'), stage.noted('close-books', 'all', 'end')])

  const block = (job: string) => new RegExp(`^  \\S+  job ${job} [^]*?(?=\\n  \\S|\\n\\n)`, 'm').exec(out)?.[0] ?? ''
  const [card, close] = [block(slow), block(books)]
  stage.fact('dry run: it would not pass now: exit code 1, and nothing was held', dry.code === 1 && row?.number === 1)
  stage.fact('prepare gave up: exit code 1', code === 1)
  stage.fact(
    'charge-card is named with its worker, age, p95 and limit',
    FULL.test(card) && card.includes('charge-card'),
  )
  stage.fact(
    'close-books is named, and the cure is what it was declared with',
    close.includes('Declared legacy until 2099-12-31'),
  )
  stage.fact('rebuild-index is not', !out.includes('rebuild-index'))
  stage.fact(
    'there is a ticket for each task',
    out.match(/^Title: task (charge-card|close-books) makes/gm)?.length === 2,
  )
  stage.fact(
    'the history keeps both, and what charge-card usually takes',
    row?.state === 'aborted' && kept.size === 2 && kept.has(books) && (kept.get(slow)?.p95Ms ?? 0) >= USUAL_MS,
  )
  const ends = stage.notes('charge-card', 'slow').length + stage.notes('close-books', 'all').length
  stage.fact('the witness saw both begin once and end once', ends === 4)
}

const FULL = / on \S+:\d+\n +running for \S+.*, usually at most \S+, limit \S+/
