/**
 * A process that uses the embedded server: `node member.ts '{"folder": …}'`. It prints one line when it is in, and leaves
 * when it is told to.
 */
import { once } from 'node:events'
import { openEmbedded } from '../../../src/store/embedded/embedded.ts'

const options = JSON.parse(process.argv[2] ?? '')
const began = performance.now()
try {
  const { url, release } = await openEmbedded(options)
  print({ url, ms: Math.round(performance.now() - began) })
  await once(process.stdin, 'data')
  await release()
  process.exit(0)
} catch (error) {
  const { code, message } = error as { code?: string; message?: string }
  print({ code, message })
  process.exit(1)
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
