/**
 * What a client does when its network is another one all of a sudden.
 *
 * **The seam for connection migration.** Today there is one answer, `reconnect`: notice that the session is dead, open a new one from
 * the new address. Moving the connection (RFC 9000 §9, `client.migrate({ remote: bed.link.secondAddress })`) can get another entry in `RECOVERIES`; the checks and
 * the measurements of this lab take it from there.
 */
import type { MasqueClient } from '../../src/client/client.ts'
import type { Testbed } from '../../src/testbed/testbed.ts'

export interface Moved {
  /** The client that has a tunnel now; the same as before if its session was kept. */
  client: MasqueClient
  kept: boolean
}

/**
 * Resolves when there is a tunnel over the second attachment. Called at the moment of the handover. Rejects with what the client
 * rejects with.
 */
export type Recover = (bed: Testbed, client: MasqueClient) => Promise<Moved>

const reconnect: Recover = async (bed, client) => {
  if (client.connected) await new Promise<void>(resolve => client.once('down', () => resolve()))
  const address = bed.link.secondAddress
  if (address === undefined) throw new Error('the profile has no second attachment')
  const next = bed.addClient({ proxy: { address } })
  await bed.whileAlive(() => next.connect())
  return { client: next, kept: false }
}

export const RECOVERIES = { reconnect } as const satisfies Record<string, Recover>
