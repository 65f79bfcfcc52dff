import { fleet, WITNESS } from '../systems/fleet.ts'
import { holdfast } from '../systems/holdfast.ts'
import { payloads } from '../systems/system.ts'
import { type Server, settle, withClient } from './server.ts'

/** A database with a heap of waiting jobs in a queue of their own. */
export async function openHeap(server: Server, name: string, waiting: number): Promise<string> {
  const url = await server.create(name)
  await holdfast.prepare(url)
  await withClient(url, (client) => client.query(WITNESS))
  const { jobs, heap } = fleet(url)
  await jobs.enqueueMany(heap, payloads(waiting))
  await jobs.close()
  await settle(server, url)
  return url
}
