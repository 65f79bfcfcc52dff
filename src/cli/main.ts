#!/usr/bin/env node
import { leaveAtOnce } from './early-stop.ts'
import { leaveFirstPlace } from './first-process.ts'

const argv = process.argv.slice(2)
if (argv[0] === 'work') {
  leaveFirstPlace()
  leaveAtOnce()
}

const OLDEST_NODE = 22 // .19; package.json says exactly which
if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(`error Holdfast needs Node ${OLDEST_NODE}.19 or later; this is ${process.version}.\n`)
  process.exit(1)
}

// Loaded late, so that an old Node meets the sentence above and not a syntax error.
const [{ exit, surviveClosedPipes }, { run }] = await Promise.all([import('./output.ts'), import('./program.ts')])
surviveClosedPipes()
await exit(await run(argv))
