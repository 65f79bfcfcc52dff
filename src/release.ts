/** This package's version: what a worker registers with, and what a migration was applied by. A test compares it with package.json. */
export const RELEASE = '0.1.0'
