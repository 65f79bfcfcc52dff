// Loaded before a worker with `node --import`: takes the fence out of the statements of the run protocol. The product's code has no
// switch for that; this rewrites the text of the module as node loads it.
import { registerHooks } from 'node:module'

const STATEMENTS = ['complete', 'delay', 'finish', 'finish_tx', 'hand_back', 'save_checkpoint', 'save_checkpoint_tx']

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context)
    if (!/\/store\/sql\.gen\.[jt]s$/.test(url)) return loaded
    return { ...loaded, source: STATEMENTS.reduce(dropFence, String(loaded.source)) }
  },
})

/** A run writes whatever has become of its job: the number of the run is not compared, and progress may go backwards. */
function dropFence(code: string, name: string): string {
  const statement = new RegExp(`^ *${name}: \`[^\`]*\``, 'm').exec(code)?.[0]
  if (statement === undefined) throw new Error(`There is no statement ${name} to take the fence from`)
  const open = statement
    .replaceAll(/ and (?:j\.)?run = (\$2|k\.run)/g, ' and $1::int > 0')
    .replaceAll(/\n *where c\.items <= excluded\.items/g, '')
  if (open === statement) throw new Error(`The statement ${name} has no fence that could be taken out`)
  return code.replace(statement, () => open)
}
