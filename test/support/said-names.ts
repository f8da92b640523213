import { expect } from 'chai'
import { clientName } from '../../src/carriers/client-name.ts'
import type { MasqueClient } from '../../src/client/client.ts'
import { ClientError } from '../../src/client/errors.ts'
import { type HostileProxy, startHostileProxy } from './hostile-peer.ts'
import { failure } from './loopback.ts'

/** The names in the requests that these clients make, in their order, of a proxy that refuses them. */
export async function namesSaid(
  clients: (proxy: HostileProxy) => Promise<readonly MasqueClient[]>,
): Promise<(string | undefined)[]> {
  const names: (string | undefined)[] = []
  const proxy = await startHostileProxy({
    onRequest: (peer, streamId, headers) => {
      names.push(clientName(headers))
      peer.h3.respond(streamId, [[':status', '503']])
      peer.flush()
    },
  })
  for (const client of await clients(proxy)) await failure(client.connect(), ClientError)
  return names
}

/** The first client has asked twice, and then another one. */
export function expectNamesOfTheirOwn([first, second, other, ...more]: readonly (string | undefined)[]): void {
  expect(first).to.be.a('string')
  expect(second).to.equal(first)
  expect(other).to.be.a('string').and.not.to.equal(first)
  expect(more).to.deep.equal([])
}
