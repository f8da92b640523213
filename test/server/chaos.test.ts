import { expect } from 'chai'
import type { MasqueClient } from '../../src/client/client.ts'
import type { IpAddress } from '../../src/ip/address.ts'
import { DrivenConnection } from '../../src/quic/connection.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { classesOf, install, listenForEscapes, type Target, Victim } from '../support/chaos.ts'
import {
  addressOf,
  closeLoopback,
  connectClient,
  keepPinging,
  newClient,
  startServer,
  until,
} from '../support/loopback.ts'

const FOLDERS = ['bytes', 'ip', 'http3', 'connect-ip', 'quic', 'carriers', 'hosts', 'log', 'server', 'client', 'net']

/** An object of one of these belongs to one connection: whoever calls it, a fault is that connection's. */
const OF_ONE_CONNECTION = new Set([
  'quiche.Connection',
  'QuicheConnection',
  'DrivenConnection',
  'Inbox',
  'PendingStreams',
  'UnacknowledgedStreams',
  'RunawayGuard',
  'H3Transport',
  'H3ServerConnection',
  'H3ClientConnection',
  'PacketStreams',
  'H3Carrier',
  'H3Connection',
  'Tunnel',
  'ConnectIpSession',
  'ProxyTunnel',
  'MasqueHandler',
])

/** What catches faults cannot be what throws them. */
const BOUNDARIES = new Set(['QuicDriver.enter', 'QuicDriver.onError'])

/** Long enough for a machine that is busy with six victims, short enough to see that what is forgotten ends. */
const IDLE = { quic: { idleTimeoutMs: 3000 } }

/** How the proxy hears that a connection has ended: it cannot hear that this has failed. All else leaves nothing behind. */
const TELL_THE_PROXY = new Set(['H3Transport.onClosed', 'MasqueHandler.onClosed'])

/** Victims at the same time: not so many that the machine is what disturbs the others. */
const AT_ONCE = 6

describe('a fault anywhere', () => {
  afterEach(closeLoopback)

  it('ends the connection that it is about, and neither the process nor anybody else’s tunnel', async function () {
    this.timeout(180_000)
    const escaped = listenForEscapes()
    const uninstall = install(await classesOf(FOLDERS), OF_ONE_CONNECTION)
    try {
      const server = await startServer(IDLE)
      const { client: bystander, info } = await connectClient(server, IDLE)
      const neighbour = addressOf(info, 4)
      const others = keepPinging(bystander, '10.90.0.1')

      const trial = new Victim()
      await (await lifeOf(trial, server, neighbour)).closed
      const targets = (['server', 'client'] as const).flatMap(side =>
        [...trial.ends[side].called].filter(method => !BOUNDARIES.has(method)).map(method => ({ side, method })),
      )
      const victims = targets.map(target => new Victim(target))
      const waiting = [...victims]
      const closing: Promise<unknown>[] = []
      const work = async (): Promise<void> => {
        for (let victim = waiting.shift(); victim !== undefined; victim = waiting.shift()) {
          closing.push((await lifeOf(victim, server, neighbour)).closed)
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, work))
      await Promise.all(closing)

      const spared = victims.filter(({ thrown }) => thrown === 0).map(({ target }) => describeTarget(target))
      // Some are called now and then only.
      expect(spared.length, spared.join(', ')).to.be.below(targets.length / 10)
      expect(escaped.errors).to.deep.equal([])
      expect(await others.stop()).to.be.greaterThan(20)
      expect(bystander.connected).to.equal(true)

      // Some clients live on, because it was their `close` that failed.
      for (const victim of victims) victim.vanish()
      await until(() => server.status().connections <= 1 + TELL_THE_PROXY.size)
      // A tunnel ends behind its connection.
      await until(() => server.status().tunnels <= 1 + TELL_THE_PROXY.size)
      uninstall()
      // Whatever has failed on the way to its end: nothing goes on of what is over.
      await until(async () => (await turnsOfClosedConnections(100)) === 0)
    } finally {
      uninstall()
      escaped.stop()
    }
  })
})

/** Those within so many ms. */
async function turnsOfClosedConnections(ms: number): Promise<number> {
  const { turn } = DrivenConnection.prototype
  let turns = 0
  DrivenConnection.prototype.turn = function (this: DrivenConnection, most?: number) {
    if (this.closed) turns++
    return turn.call(this, most)
  }
  await new Promise(resolve => setTimeout(resolve, ms))
  DrivenConnection.prototype.turn = turn
  return turns
}

function describeTarget(target: Target | undefined): string {
  return `${target?.side} ${target?.method}`
}

/**
 * All that a tunnel is used for, until the fault shows. What becomes of the victim is its own business. Resolves with the
 * end of its client, which may take a while when nobody answers any more.
 */
async function lifeOf(victim: Victim, server: MasqueServer, neighbour: IpAddress): Promise<{ closed: Promise<void> }> {
  const client = await newClient(server, IDLE)
  for (const use of USES) {
    if (victim.thrown > 0) break
    const used = victim.run(() => Promise.resolve().then(() => use(client, neighbour)))
    await Promise.race([used.catch(() => {}), until(() => victim.thrown > 0).catch(() => {})])
  }
  // What the fault has led to comes in the next turns of the event loop.
  await new Promise(resolve => setTimeout(resolve, 10))
  return { closed: victim.run(async () => client.close()).catch(() => {}) }
}

const USES: ((client: MasqueClient, neighbour: IpAddress) => Promise<unknown>)[] = [
  client => client.connect(),
  client => client.ping('10.90.0.1'),
  (client, neighbour) => client.ping(neighbour),
  client => Promise.all(Array.from({ length: 4 }, () => client.ping('fd00:90::1', { size: 1000 }))),
  async client => client.sendPacket(new Uint8Array(30)),
  client => client.close(),
]
