import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import type { ClientError } from '../../src/client/errors.ts'
import { type ClientOptions, clientConfig } from './client-config.ts'
import { ping, until } from './wait.ts'

/**
 * What our client is to do in a peer's case, one step after the other:
 *
 *   ['connect']                   the tunnel comes up
 *   ['connect fails', PATTERN]    it does not; kind, status and message of the error match
 *   ['ping', ADDRESS, SIZE?]      an echo request is answered
 *   ['is lost', PATTERN]          the tunnel ends by itself; kind and message match
 *   ['has addresses', TEXT, …]    these are assigned, in this order, now or in a moment
 *   ['has routes', N]             so many are advertised, now or in a moment
 *   ['close']                     the client ends the tunnel
 */
export type Step = [string, ...(string | number)[]]

export interface OurClient {
  config?: Partial<ClientOptions>
  steps?: Step[]
}

const DEFAULT_STEPS: Step[] = [['connect'], ['ping', '10.77.0.1'], ['ping', 'fd77::1'], ['close']]

/** Runs the steps with a client of ours; it is closed in any case. */
export async function runOurClient(ours: OurClient, port: number, ca: string): Promise<void> {
  const client = new MasqueClient(clientConfig({ port, ca, linkProbe: 'off', ...ours.config }))
  const lost = new Promise<ClientError>(resolve => client.once('down', resolve))
  try {
    for (const step of ours.steps ?? DEFAULT_STEPS) await take(step, client, lost)
  } finally {
    await client.close()
  }
}

async function take([what, ...rest]: Step, client: MasqueClient, lost: Promise<ClientError>): Promise<void> {
  switch (what) {
    case 'connect':
      await client.connect()
      return
    case 'connect fails':
      return expectError(
        await client.connect().then(
          () => expect.fail('our client has a tunnel, and should have none'),
          error => error,
        ),
        String(rest[0]),
      )
    case 'ping': {
      const size = Number(rest[1] ?? 56)
      expect((await ping(client, String(rest[0]), size)).bytes).to.equal(size)
      return
    }
    case 'is lost':
      return expectError(await lost, String(rest[0]))
    case 'has addresses':
      return until(() => client.info.assigned.map(String).join() === rest.join())
    case 'has routes':
      return until(() => client.info.routes.length === rest[0])
    case 'close':
      return client.close()
    default:
      throw new Error(`no step '${what}'`)
  }
}

function expectError(error: ClientError, pattern: string): void {
  expect(`${error.kind} ${error.status ?? ''}: ${error.message}`).to.match(new RegExp(pattern))
}
