/** Many clients in one process: each with a connection and a tunnel of its own, which may send as fast as they can. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { MasqueClient } from '../src/client/client.ts'
import { FlowSource } from '../src/hosts/userspace/flow.ts'
import { serveParent } from '../src/process/serve-parent.ts'
import { newTestClient } from '../src/testbed/proxy-and-client.ts'
import { SINK } from './tunnel-peer.ts'

/** Handshakes that are under way at once: enough to keep both ends busy, too few for the sockets' buffers to overflow. */
const HANDSHAKES_AT_ONCE = 16
/** Flow ids are shared: the sink at the other end tells 256 apart, and only counts packets here. */
const FLOW_IDS = 200
/** What a client sends before it is another one's turn. */
const PACKETS_A_TURN = 16
const PACKET_LENGTH = 1200

interface Member {
  client: MasqueClient
  source: FlowSource
}

const fleet: Member[] = []
let flooding = false

async function addClient(certificates: TestCertificates, port: number): Promise<void> {
  const client = newTestClient(certificates, { host: '127.0.0.1', port })
  const info = await client.connect()
  const source = info.assigned.find(prefix => prefix.version === 4)?.address
  if (source === undefined) throw new Error('a client was assigned no IPv4 address')
  fleet.push({
    client,
    source: new FlowSource({
      source,
      destination: SINK,
      flowId: 1 + (fleet.length % FLOW_IDS),
      packetLength: PACKET_LENGTH,
    }),
  })
}

function floodTurn(): void {
  if (!flooding) return
  for (const { client, source } of fleet) {
    for (let n = 0; n < PACKETS_A_TURN && client.writable; n++) client.sendPacket(source.next(performance.now() * 1000))
  }
  setImmediate(floodTurn)
}

const orders = {
  /** Adds `count` clients; how long that took, in ms. */
  async connect({ certificates, port, count }: { certificates: TestCertificates; port: number; count: number }) {
    const began = performance.now()
    let left = count
    const worker = async (): Promise<void> => {
      while (left-- > 0) await addClient(certificates, port)
    }
    await Promise.all(Array.from({ length: HANDSHAKES_AT_ONCE }, worker))
    return performance.now() - began
  },
  /** Each client pings `count` times, `intervalMs` apart and spread over the interval, as independent people are. */
  async ping({ count, intervalMs }: { count: number; intervalMs: number }) {
    const rtts: number[] = []
    await Promise.all(
      fleet.map(async ({ client }, i) => {
        await sleep((i / fleet.length) * intervalMs)
        for (let n = 0; n < count; n++) {
          const reply = await client.ping(String(SINK), { timeoutMs: 5_000 }).catch(() => undefined)
          if (reply !== undefined) rtts.push(reply.rttMs)
          await sleep(intervalMs)
        }
      }),
    )
    return { sent: fleet.length * count, rtts }
  },
  flood(on: boolean): void {
    if (on && !flooding) setImmediate(floodTurn)
    flooding = on
  },
  counters() {
    const cpu = process.cpuUsage()
    return {
      connected: fleet.filter(({ client }) => client.connected).length,
      sent: fleet.reduce((sum, { source }) => sum + source.sent, 0),
      cpuUs: cpu.user + cpu.system,
      rssBytes: process.memoryUsage.rss(),
    }
  },
  async leave(): Promise<void> {
    flooding = false
    await Promise.all(fleet.map(({ client }) => client.close()))
  },
}
export type FleetOrders = typeof orders

serveParent(orders)
