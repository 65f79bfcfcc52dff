import { createWriteStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Place, Places } from './places.ts'

/** A CSV file to be imported: one job. */
export interface ImportFile {
  /** From 1. */
  readonly number: number
  readonly path: string
  /** The ids in it. */
  readonly first: number
  readonly last: number
}

export const COLUMNS = [
  'kind',
  'country',
  'region',
  'district',
  'name',
  'latitude',
  'longitude',
] as const satisfies (keyof Place)[]

const LINES_A_WRITE = 2_000

/** Cuts the places into `count` CSV files of about the same length. */
export async function writeFiles(places: Places, count: number, folder: string): Promise<ImportFile[]> {
  const files = Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    path: path.join(folder, `places-${index + 1}.csv`),
    first: Math.floor((index * places.rows) / count) + 1,
    last: Math.floor(((index + 1) * places.rows) / count),
  }))
  for (const file of files) await pipeline(linesOf(places, file), createWriteStream(file.path))
  return files
}

function* linesOf(places: Places, { first, last }: ImportFile): Generator<string> {
  let lines = `id,${COLUMNS.join(',')}\n`
  for (let id = first; id <= last; id++) {
    const place = places.at(id)
    lines += `${id},${COLUMNS.map((column) => field(place[column])).join(',')}\n`
    if (id % LINES_A_WRITE !== 0) continue
    yield lines
    lines = ''
  }
  yield lines
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
