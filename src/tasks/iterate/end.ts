/** The cursor of a collection that its own code ended: what comes after stays undone, also in a run that finds this checkpoint. */
export const END = Object.freeze({ 'holdfast: ended by each': true })

export function isEnd(cursor: unknown): boolean {
  return typeof cursor === 'object' && cursor !== null && Object.hasOwn(cursor, 'holdfast: ended by each')
}
