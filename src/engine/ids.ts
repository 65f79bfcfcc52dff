import { v7, validate } from 'uuid'

/** Ids are time-ordered (UUIDv7), so that indexes grow at one end. Order of work never comes from them: clients' clocks differ. */
export function uuidv7(): string {
  return v7()
}

/** What is no UUID is no job; PostgreSQL would refuse the statement for it. */
export function isId(text: string): boolean {
  return validate(text)
}
