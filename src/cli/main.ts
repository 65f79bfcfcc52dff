#!/usr/bin/env node
import { exit, surviveClosedPipes } from './output.ts'
import { run } from './program.ts'

surviveClosedPipes()
await exit(await run(process.argv.slice(2)))
