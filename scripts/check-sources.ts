/**
 * Checks docs/sources.md, which maps what the five sources ask to what carries it: every row is there, names its tests, and says what
 * is still planned; every named test exists.
 */
import {
  brokenRow,
  missingTest,
  type PageFinding,
  partsOf,
  type Read,
  readHere,
  report,
  tableRows,
} from './named-tests.ts'

const PAGE = 'docs/sources.md'

/** How many claims each source makes: none may get lost. */
const CLAIMS: Readonly<Record<string, number>> = {
  'A unified-API company: Celery on Kubernetes, tasks of hours': 6,
  'Taskmaster: Celery, RabbitMQ, Django, EC2, supervisor': 9,
  'Celery on AWS ECS and Fargate': 7,
  'Background jobs and deploys: Sidekiq, Resque, a Rails giant': 6,
  'Five tips for production-ready tasks': 9,
}

/** @param read the text of a test file, or `undefined` where there is none. */
export function checkSources(page: string, read: Read, claims = CLAIMS): PageFinding[] {
  const rows = tableRows(page)
  const counts = Object.entries(claims).flatMap(([source, wanted]) => {
    const found = rows.filter(({ section }) => section === source).length
    return found === wanted ? [] : [{ line: 1, problem: `"${source}" has ${found} claims, it makes ${wanted}` }]
  })
  const problems = rows.flatMap((row) => {
    const broken = brokenRow(row)
    const wrong = broken === undefined ? partsOf(row.cells.at(-1) ?? '').map((part) => missing(part, read)) : [broken]
    return wrong.flatMap((problem) => (problem === undefined ? [] : [{ line: row.line, problem }]))
  })
  return [...counts, ...problems]
}

/** `planned: a feature` needs no test; it must say which. */
function missing(part: string, read: Read): string | undefined {
  const planned = /^planned:(.*)$/.exec(part)?.[1]
  if (planned === undefined) return missingTest(part, read)
  return planned.trim() === '' ? 'is planned, but as what?' : undefined
}

if (import.meta.main) report(PAGE, checkSources(readHere(PAGE) ?? '', readHere))
