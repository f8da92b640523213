import { expect } from 'chai'
import type { EngineConnection } from '../../../src/quic/engine.ts'
import type { QuicObserver } from '../../../src/quic/observer.ts'
import { typescriptEngines } from './engines.ts'
import { VirtualNetwork } from './virtual-network.ts'

/** Writes down what it is told, one line each. */
function noting(lines: string[]): QuicObserver {
  return {
    packetSent: (type, number) => lines.push(`sent ${type} ${number}`),
    packetReceived: (type, number) => lines.push(`received ${type}${number === undefined ? '' : ` ${number}`}`),
    packetKept: type => lines.push(`kept ${type}`),
    packetDropped: (type, _length, reason) => lines.push(`dropped ${type} ${reason}`),
    packetLost: (type, number, trigger) => lines.push(`lost ${type} ${number} ${trigger}`),
    metrics: ({ controller, bytesInFlight }) => lines.push(`metrics ${controller.window} ${bytesInFlight}`),
    congestionState: (state, trigger) => lines.push(`congestion ${state}${trigger === undefined ? '' : ` ${trigger}`}`),
    lossTimer: (event, timer, space) => lines.push(`timer ${event} ${timer} ${space}`),
    version: chosen => lines.push(`version ${chosen}`),
    parameters: owner => lines.push(`parameters ${owner}`),
    keysUpdated: (space, sender, generation, trigger) => lines.push(`keys ${space} ${sender} ${generation} ${trigger}`),
    keysDiscarded: (space, sender) => lines.push(`no keys ${space} ${sender}`),
    state: state => lines.push(`state ${state}`),
  }
}

describe('who looks on at a connection', () => {
  let engines: Awaited<ReturnType<typeof typescriptEngines>>
  before(async () => {
    engines = await typescriptEngines()
  })

  /** What went over a bad network, packet by packet. */
  function traffic(
    seed: number,
    observe?: (which: string, connection: EngineConnection, now: number) => void,
  ): string[] {
    const conditions = { loss: 0.1, jitterMs: 20, duplicate: 0.05, corrupt: 0.05 }
    const network = new VirtualNetwork({ ...engines(seed), seed, conditions, ...(observe && { observe }) })
    const packets: string[] = []
    network.tamper = (packet, to) => {
      // An ECDSA signature of the server may be a byte shorter or longer each time.
      packets.push(`${network.now} ${to} ${to === 'server' ? packet.length : ''}`)
      return [packet]
    }
    network.client.write(0, new Uint8Array(40_000))
    network.run(() => network.server?.hasEnded(0) === true)
    network.client.connection.close(true, 0, '')
    network.turn('client')
    network.run(() => network.server?.connection.isOver === true, 20_000)
    return packets
  }

  it('changes nothing: the same packets leave at the same times', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const lines: string[] = []
      const seen = traffic(seed, (_which, connection, now) => connection.observe?.(noting(lines), now))
      expect(seen, `seed ${seed}`).to.deep.equal(traffic(seed))
      expect(lines.length).to.be.at.least(seen.length)
    }
  })

  it('hears of each packet that the other end hears of, and of those that get lost on the way', () => {
    const lines: Record<string, string[]> = { client: [], server: [] }
    traffic(7, (which, connection, now) => connection.observe?.(noting(lines[which]), now))
    for (const [sender, receiver] of [
      ['client', 'server'],
      ['server', 'client'],
    ]) {
      const sent = new Set(lines[sender].filter(line => line.startsWith('sent ')).map(line => line.slice(5)))
      const received = lines[receiver].filter(line => line.startsWith('received ')).map(line => line.slice(9))
      expect(received.length).to.be.above(10)
      expect(received.filter(packet => !sent.has(packet))).to.deep.equal([])
      expect(new Set(received).size, 'none twice').to.equal(received.length)
    }
    expect(lines.client.some(line => line.startsWith('lost 1RTT'))).to.equal(true)
    // Of what is lost nothing arrived, or it came too late.
    const states = lines.server.filter(line => line.startsWith('state '))
    expect(states[0]).to.equal('state attempted')
    expect(states.slice(-2)).to.deep.equal(['state draining', 'state closed'])
  })

  it('hears of a Retry, and that the first keys are others from then on', () => {
    const lines: string[] = []
    const observe = (which: string, connection: EngineConnection, now: number): void => {
      if (which === 'client') connection.observe?.(noting(lines), now)
    }
    const network = new VirtualNetwork({ ...engines(1), seed: 1, retry: true, observe })
    expect(network.run(() => network.client.established)).to.equal(true)
    const at = lines.indexOf('received retry')
    expect(at).to.be.above(0)
    const initialKeys = lines.flatMap((line, i) => (line === 'keys 0 client 0 tls' ? [i] : []))
    expect(initialKeys).to.have.length(2)
    expect(initialKeys.map(i => i > at)).to.deep.equal([false, true])
  })

  it('hears when the path is so bad that all begins anew (RFC 9002 §7.6), and how the window is after that', () => {
    const lines: string[] = []
    const observe = (which: string, connection: EngineConnection, now: number): void => {
      if (which === 'client') connection.observe?.(noting(lines), now)
    }
    const network = new VirtualNetwork({ ...engines(2), seed: 2, observe })
    expect(network.run(() => network.client.established)).to.equal(true)
    network.run(() => false, 1000)
    network.client.write(0, new Uint8Array(200_000))
    network.turn('client')
    network.run(() => network.server?.received.has(0) === true)
    network.tamper = () => []
    network.run(() => false, 5000)
    network.tamper = packet => [packet]
    expect(network.run(() => network.server?.hasEnded(0) === true)).to.equal(true)
    const at = lines.indexOf('congestion slow_start persistent_congestion')
    expect(at, lines.filter(line => line.startsWith('congestion')).join()).to.be.above(0)
    const before = lines
      .slice(0, at)
      .filter(line => line.startsWith('metrics'))
      .at(-1)
    // RFC 9002 §7.2: two datagrams are the least.
    expect(Number(before?.split(' ')[1])).to.be.at.most(2800)
    expect(lines.slice(0, at)).to.include.members(['timer expired pto 2', 'timer set pto 2'])
  })
})
