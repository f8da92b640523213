import { expect } from 'chai'
import { SilentPath } from '../../src/client/silent-path.ts'
import type { QuicStats } from '../../src/quic/quic.ts'
import { FakeClock, settle } from '../hosts/fake-clock.ts'
import { FakeQuic } from '../support/fake-quic.ts'

const NO_STATS = new FakeQuic('client').lastStats

/** A path in virtual time: whoever pings hears an answer a round trip later, while it is alive. */
class FakePath {
  alive = true
  isThere = true
  pings = 0
  sent = 0
  received = 0
  readonly clock = new FakeClock()
  roundTripMs = 20

  ping(): void {
    this.pings++
    this.send()
  }

  /** Something that has to be answered. */
  send(): void {
    this.sent++
    if (this.alive) this.clock.setTimeout(() => this.received++, this.roundTripMs)
  }

  stats(): QuicStats {
    return { ...NO_STATS, packetsSent: this.sent, packetsReceived: this.received, rttMs: this.roundTripMs }
  }
}

function watched({ roundTripMs = 20, look = () => Promise.resolve() as Promise<unknown> } = {}) {
  const quic = new FakePath()
  quic.roundTripMs = roundTripMs
  const { clock } = quic
  /** When, from the last that was told. */
  const silences: number[] = []
  const errors: unknown[] = []
  let heard = 0
  const path: SilentPath = new SilentPath({
    quic: () => (quic.isThere ? quic : undefined),
    onSilent: () => {
      silences.push(clock.now())
      return look()
    },
    onHeard: () => heard++,
    onError: error => errors.push(error),
    clock,
    afterInput: step => step(),
  })
  path.start()
  /** Sends every 100 ms. */
  const busy = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 100) {
      quic.send()
      await clock.advance(100)
    }
  }
  return { quic, clock, path, silences, errors, busy, heard: () => heard }
}

describe('a path under a tunnel over h3', () => {
  it('is silent a second after the last packet that came, of those that had to be answered', async () => {
    const { quic, clock, silences, busy } = watched()
    await busy(5000)
    expect(silences).to.deep.equal([])
    quic.alive = false
    const diedAt = clock.now()
    await busy(2000)
    expect(silences).to.have.length(1)
    // The last answer is under way; and a turn is a sixteenth.
    expect(silences[0] - diedAt).to.be.within(1000 - 100, 1000 + 100)
  })

  it('is silent after three probe timeouts where those are longer', async () => {
    const { quic, clock, silences, busy } = watched({ roundTripMs: 600 })
    await busy(5000)
    quic.alive = false
    const diedAt = clock.now()
    await busy(5000)
    expect(silences).to.deep.equal([])
    await busy(2000)
    expect(silences[0] - diedAt).to.be.within(3 * (3 * 600 + 25), 3 * (3 * 600 + 25) + 1000)
  })

  it('is not silent while nothing is sent there, for however long', async () => {
    const { quic, clock, silences } = watched()
    quic.alive = false
    await clock.advance(120_000)
    expect(silences).to.deep.equal([])
    expect(quic.pings).to.equal(0)
  })

  it('is asked when what was sent need not be answered, and once: an acknowledgement of ours', async () => {
    const { quic, clock, silences } = watched()
    await clock.advance(1000)
    quic.sent++
    await clock.advance(60_000)
    expect(silences).to.deep.equal([])
    expect(quic.pings).to.equal(1)
  })

  it('is asked again and again while it is silent, and is not silent any more when it answers', async () => {
    const { quic, clock, path, silences, busy, heard } = watched()
    quic.alive = false
    await busy(1500)
    expect(path.isSilent).to.equal(true)
    expect(path.silentMs).to.be.greaterThan(1000)
    const before = quic.pings
    await clock.advance(2000)
    expect(quic.pings - before).to.be.within(4, 9)
    expect(heard()).to.equal(0)
    quic.alive = true
    await clock.advance(500)
    expect([path.isSilent, heard(), silences.length]).to.deep.equal([false, 1, 2])
  })

  it('is left less and less often while there is no other way, and one at a time', async () => {
    let end = (): void => {}
    const { quic, clock, silences, busy } = watched({
      look: () =>
        new Promise<void>(resolve => {
          end = resolve
        }),
    })
    quic.alive = false
    await busy(10_000)
    expect(silences).to.have.length(1)
    for (const pauseMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const known = silences.length
      end()
      await settle()
      await clock.advance(pauseMs - 100)
      expect(silences).to.have.length(known)
      await clock.advance(200)
      expect(silences).to.have.length(known + 1)
    }
  })

  it('is asked once more before it is left: whether it still does not answer', async () => {
    const { quic, clock, path, busy, heard } = watched()
    quic.alive = false
    await busy(1500)
    const asked = quic.pings
    const still = path.isStillSilent()
    await clock.advance(110)
    expect([await still, quic.pings > asked]).to.deep.equal([true, true])
    quic.alive = true
    const answers = path.isStillSilent()
    await clock.advance(110)
    expect([await answers, heard()]).to.deep.equal([false, 1])
    expect(await path.isStillSilent()).to.equal(false)
  })

  it('does not answer again because its connection has ended', async () => {
    const { quic, clock, path, busy, heard } = watched()
    quic.alive = false
    await busy(1500)
    quic.isThere = false
    await clock.advance(2000)
    expect([path.isSilent, heard()]).to.deep.equal([true, 0])
  })

  it('is not watched any more once that was stopped, and anew when it starts', async () => {
    const { quic, clock, path, silences, busy } = watched()
    quic.alive = false
    await busy(900)
    path.stop()
    await busy(5000)
    expect([silences.length, clock.pendingTimers]).to.deep.equal([0, 0])
    path.start()
    await busy(900)
    expect(silences).to.deep.equal([])
    await busy(300)
    expect(silences).to.have.length(1)
  })

  it('is watched on when a look fails', async () => {
    const wrong = new Error('not found')
    const { quic, silences, errors, busy } = watched({ look: () => Promise.reject(wrong) })
    quic.alive = false
    await busy(2500)
    expect(errors.slice(0, 1)).to.deep.equal([wrong])
    expect(silences).to.have.length(2)
  })
})
