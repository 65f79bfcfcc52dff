// Preloaded into a fresh process: prints every file that importing the module in HOLDFAST_TEST_IMPORT loads.
import { registerHooks } from 'node:module'

const loaded = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
await import(process.env.HOLDFAST_TEST_IMPORT)
process.stdout.write(JSON.stringify(loaded.filter((url) => url.startsWith('file:'))))
process.exit(0)
