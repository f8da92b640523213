import type { ApiSource } from '../../src/server/api/routes.ts'
import type { Readings } from '../../src/server/metrics/readings.ts'
import type {
  ClientDetails,
  ClientInfo,
  ConnectionLogEntry,
  Health,
  LogFilter,
  PoolInfo,
  ServerStatus,
} from '../../src/server/status.ts'
import { fakeReadings } from './fake-readings.ts'

/** A server's status to play with: change the fields, and the API and the metrics show them. */
export class FakeApiSource implements ApiSource {
  currentHealth: Health = 'ok'
  currentStatus: ServerStatus = {
    version: '0.1.0',
    uptimeSeconds: 61,
    listen: { host: '127.0.0.1', port: 4433 },
    connections: 2,
    tunnels: 3,
    tunnelsTotal: 5,
    movesTotal: 9,
    pools: [
      { family: 4, prefix: '10.89.0.0/24', used: 3, total: 253 },
      { family: 6, prefix: 'fd00:89::/64', used: 2, total: 1_000_000 },
    ],
    packets: { fromClients: 100, toClients: 90, answered: 6, dropped: { 'no-route': 4, 'source-policy': 1 } },
    fec: { paritySent: 11, parityReceived: 12, recovered: 4 },
    bytes: { fromClients: 120_000, toClients: 80_000 },
    unsent: { udp: { full: 8 }, tun: { full: 9, down: 1 } },
    handshakes: { accepted: 7, rejected: 1, retried: 2 },
    routes: ['10.89.0.0/24'],
    log: { linesLost: 0, linesLeftOut: 0 },
    draining: false,
  }
  currentClients: ClientInfo[] = [client('aa/0', 10, 100), client('aa/4', 10, 100), client('bb/0', 30, 50)]
  log: ConnectionLogEntry[] = []
  currentRtts: number[] = []
  /** Called each time that somebody asks for the health. */
  onHealth: () => void = () => {}

  status(): ServerStatus {
    return this.currentStatus
  }
  clients(): ClientInfo[] {
    return this.currentClients
  }
  client(id: string): ClientDetails | undefined {
    const found = this.currentClients.find(one => one.id === id)
    return (
      found && {
        ...found,
        uptimeSeconds: 5,
        dropped: { 'no-route': 1 },
        connection: { id: id.split('/')[0], handshakeMs: 3.5, resumed: false },
        paths: [{ local: '127.0.0.1:4433', remote: '127.0.0.1:50000', active: true, rttMs: 10, cwnd: 12_000, lost: 1 }],
      }
    )
  }
  closeClient(id: string): boolean {
    const before = this.currentClients.length
    this.currentClients = this.currentClients.filter(one => one.id !== id)
    return this.currentClients.length < before
  }
  pools(): PoolInfo[] {
    return this.currentStatus.pools.map(pool => ({
      ...pool,
      gateway: pool.family === 4 ? '10.89.0.1' : 'fd00:89::1',
      kept: 1,
      leases: [{ address: pool.family === 4 ? '10.89.0.2' : 'fd00:89::2', client: 'aa/0', identity: 'alice' }],
    }))
  }
  logEntries(fits: LogFilter = () => true): ConnectionLogEntry[] {
    return this.log.filter(fits)
  }
  health(): Health {
    this.onHealth()
    return this.currentHealth
  }
  async rtts(): Promise<number[]> {
    return this.currentRtts
  }
  readings(): Readings {
    return fakeReadings(this.status())
  }
}

/** While `test` runs, it takes a minute to make one of these: so what is made of it is kept. `tookMs`: all of them together. */
export async function whileSlow(
  source: FakeApiSource,
  what: 'status' | 'clients',
  test: (tookMs: () => number) => Promise<void>,
): Promise<void> {
  const [make, clock] = [source[what].bind(source) as () => never, performance.now.bind(performance)]
  let took = 0
  source[what] = () => {
    took += 60_000
    return make()
  }
  performance.now = () => clock() + took
  try {
    await test(() => took)
  } finally {
    performance.now = clock
  }
}

export function client(id: string, rttMs: number, sent: number): ClientInfo {
  return {
    id,
    identity: 'alice',
    carrier: 'h3',
    remote: '127.0.0.1:50000',
    moves: 0,
    connectedAt: '2026-01-01T00:00:00.000Z',
    addresses: ['10.89.0.2/32'],
    routes: ['10.89.0.0/24'],
    networks: ['192.168.7.0-192.168.7.255'],
    encapsulation: 'datagram',
    mtu: 1350,
    packets: { sent: 1, received: 2, answered: 0, dropped: 0 },
    bytes: { sent: 100, received: 200 },
    quic: { rttMs, cwnd: 12_000, lost: 1, sent, received: 40, streamsOpened: 3, datagramsDropped: 1 },
  }
}
