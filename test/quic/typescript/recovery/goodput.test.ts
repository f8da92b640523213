import { expect } from 'chai'
import type { CongestionControl } from '../../../../src/quic/quic.ts'
import { DATAGRAM_SIZE, Simulation } from './simulated-peers.ts'

/** 20 Mbit/s, in bytes per ms. */
const RATE = 2500
const WINDOW = 6 << 20
const SETTINGS = {
  streamWindow: WINDOW,
  connectionWindow: WINDOW,
  maxStreamWindow: WINDOW,
  maxConnectionWindow: WINDOW,
}
/** What slow start has overshot is over then. */
const WARM_UP_MS = 3_000
const BLOCK = new Uint8Array(64 << 10)

/** Bytes per ms of a client that always has more to send, over a queue of what the link carries in a round trip. */
function goodput(
  link: { loss: number; rttMs: number },
  congestion: CongestionControl,
  ms: number,
  seeds: readonly number[],
): number {
  const rates = seeds.map(seed => {
    const { loss, rttMs } = link
    const path = { delayMs: rttMs / 2, loss, rate: RATE, buffer: RATE * rttMs }
    const simulation = new Simulation(path, seed, { settings: SETTINGS, congestion })
    const [client] = simulation.peers
    let read = 0
    simulation.onTurn = (peer, now) => {
      if (peer === client) while (client.streams.send(0, BLOCK, false) === BLOCK.length) {}
      peer.streams.handOut(
        { onStreamData: (_streamId, data) => (read += data.length), onStreamReset() {}, onStopSending() {} },
        now,
      )
    }
    simulation.run(() => false, WARM_UP_MS)
    const before = read
    simulation.run(() => false, WARM_UP_MS + ms)
    return (read - before) / ms
  })
  return rates.reduce((sum, rate) => sum + rate, 0) / rates.length
}

/** What Reno's window is on average where one packet in 1/p is lost (RFC 3155's and RFC 9438 §4.3's formula): √(3/2p) packets a round trip. */
function renoRate(loss: number, rttMs: number): number {
  return (Math.sqrt(3 / (2 * loss)) * DATAGRAM_SIZE) / rttMs
}

describe('goodput in virtual time', () => {
  it('of CUBIC is the link’s where nothing is lost by chance', () => {
    for (const rttMs of [20, 100]) {
      expect(goodput({ loss: 0, rttMs }, 'cubic', 1_000, [1]), `${rttMs} ms`).to.be.greaterThan(0.95 * RATE)
    }
  })

  it('of CUBIC is at least what its formula for Reno says, less what does not fill a packet, where one packet in a hundred is lost, or one in twenty', () => {
    for (const [loss, share] of [
      [0.01, 0.9],
      // Of a window of five and a half packets the half is not sent (RFC 9002 §7), and the last ones of it are acknowledged late.
      [0.05, 0.6],
    ] as const) {
      for (const rttMs of [20, 100]) {
        const measured = goodput({ loss, rttMs }, 'cubic', 200 * rttMs, [1, 2, 3, 4]) / renoRate(loss, rttMs)
        expect(measured, `${loss}, ${rttMs} ms`).to.be.greaterThan(share)
      }
    }
  })
})
