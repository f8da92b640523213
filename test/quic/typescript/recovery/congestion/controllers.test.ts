import { expect } from 'chai'
import type { CongestionControl } from '../../../../../src/quic/quic.ts'
import { type LinkOptions, Simulation } from '../simulated-peers.ts'

/** 20 Mbit/s in bytes per ms, and how much of that is data: packets have 30 bytes around it, and frames some more. */
const RATE = 2500
const DATA_PART = 0.963

const LITTLE = 200
const LITTLE_EVERY_MS = 20

const settings = {
  streamWindow: 1 << 20,
  connectionWindow: 1 << 20,
  maxStreamWindow: 8 << 20,
  maxConnectionWindow: 8 << 20,
}

interface Result {
  /** Of what the bottleneck carries, how much was used. */
  used: number
  lost: number
  /** ms, at the end. */
  rtt: number
  window: number
}

/** A client sends so many bytes, as fast as it may; before that, for so long, only a little now and then. */
function upload(congestion: CongestionControl, link: LinkOptions, bytes = 6_000_000, littleMs = 0): Result {
  const simulation = new Simulation({ rate: RATE, ...link }, 1, { congestion, settings })
  const [client, server] = simulation.peers
  const chunk = new Uint8Array(100_000)
  let received = 0
  simulation.wakeAt = 0
  simulation.onTurn = (peer, now) => {
    if (peer === client) {
      if (now >= littleMs) {
        simulation.wakeAt = Number.POSITIVE_INFINITY
        client.streams.send(0, chunk, false)
      } else if (now >= simulation.wakeAt) {
        simulation.wakeAt += LITTLE_EVERY_MS
        client.streams.send(0, chunk.subarray(0, LITTLE), false)
      }
      return
    }
    server.streams.handOut(
      {
        onStreamData(_, data) {
          if (now >= littleMs) received += data.length
        },
        onStreamReset() {},
        onStopSending() {},
      },
      now,
    )
  }
  simulation.run(() => received >= bytes, 600_000)
  const { recovery } = client
  return {
    used: received / (simulation.now - littleMs) / RATE / DATA_PART,
    lost: recovery.packetsLost / client.packetsSent,
    rtt: recovery.rtt.smoothed,
    window: recovery.controller.window,
  }
}

const ALL: readonly CongestionControl[] = ['reno', 'cubic', 'bbr']

describe('congestion controllers', () => {
  for (const name of ALL) {
    it(`${name} fills a bottleneck whose queue holds what is on its way`, () => {
      const { used, lost } = upload(name, { delayMs: 20, buffer: 100_000 })
      expect(used).to.be.greaterThan(0.9)
      expect(lost).to.be.lessThan(0.05)
    })

    it(`${name} uses two thirds of one whose queue is short`, () => {
      expect(upload(name, { delayMs: 20, buffer: 15_000 }).used).to.be.greaterThan(0.66)
    })
  }

  it('Reno and CUBIC take losses for congestion, and BBR does not', () => {
    const used = ALL.map(name => upload(name, { delayMs: 20, buffer: 100_000, loss: 0.02 }, 3_000_000).used)
    expect(used[0]).to.be.lessThan(0.3)
    expect(used[1]).to.be.lessThan(0.3)
    expect(used[2]).to.be.greaterThan(0.75)
  })

  it('Reno and CUBIC fill a deep queue, and BBR leaves it empty', () => {
    const rtt = ALL.map(name => upload(name, { delayMs: 20, buffer: 1_000_000 }, 12_000_000).rtt)
    expect(rtt[0]).to.be.greaterThan(150)
    expect(rtt[1]).to.be.greaterThan(150)
    expect(rtt[2]).to.be.lessThan(60)
  })

  for (const name of ALL) {
    it(`${name} does not take what little was to be sent for what the path carries`, () => {
      const { used } = upload(name, { delayMs: 20, buffer: 100_000 }, 6_000_000, 15_000)
      expect(used).to.be.greaterThan(0.8)
    })
  }

  it('no window grows while it is not used', () => {
    for (const name of ['reno', 'cubic'] as const) {
      expect(upload(name, { delayMs: 20 }, 1, 5000).window, name).to.be.lessThan(20_000)
    }
  })
})
