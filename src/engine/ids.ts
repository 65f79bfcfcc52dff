import { v7 } from 'uuid'

/** Ids are time-ordered (UUIDv7), so that indexes grow at one end. Order of work never comes from them: clients' clocks differ. */
export function uuidv7(): string {
  return v7()
}
