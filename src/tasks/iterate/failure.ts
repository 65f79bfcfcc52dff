import { show } from '../../model/show.ts'

/** An error that an item's code threw, with the item it happened on. Unwrapped before retries are decided. */
export class ItemFailure extends Error {
  override readonly name = 'ItemFailure'
  readonly where: string

  constructor(source: string, index: number, cursor: unknown, cause: unknown) {
    super(`item ${index} of ${source} failed`, { cause })
    this.where = `item ${index} of ${source} (the cursor after it: ${show(cursor)})`
  }
}
