import { expect } from 'chai'
import {
  COURSES_KEY,
  MOST_COURSES,
  MOST_SAMPLES,
  type WindowCourse,
  WindowRecorder,
  watchWindow,
} from '../../../../labs/kit/check/window-recorder.ts'
import type { QuicPath } from '../../../../src/quic/quic.ts'
import { FakeClock } from '../../../hosts/fake-clock.ts'

const LOCAL = { host: '127.0.0.1', port: 50_000 }
const REMOTE = { host: '127.0.0.1', port: 4433 }

/** What a recorder asks, as the test has it; how often it was asked. */
function connection(changes: { cwnd?: number; rttMs?: number; bytesInFlight?: number | undefined } = {}) {
  return {
    id: 'one',
    local: LOCAL,
    remote: REMOTE,
    closed: false,
    engineName: 'typescript' as const,
    bytesInFlight: 1200 as number | undefined,
    cwnd: 12_000,
    rttMs: 50,
    asked: 0,
    paths(): QuicPath[] {
      this.asked++
      const { local, remote, cwnd, rttMs } = this
      const other = { local, remote: { host: '127.0.0.1', port: 1 }, active: false, rttMs: 7, cwnd: 7, lost: 0 }
      return [other, { local, remote, active: true, rttMs, cwnd, lost: 0 }]
    },
    ...changes,
  }
}

describe('the recorder of windows', () => {
  let clock: FakeClock
  let shown: WindowCourse[]
  let recorder: WindowRecorder
  beforeEach(() => {
    clock = new FakeClock()
    shown = []
    const show = (key: string, value: unknown) => {
      expect(key).to.equal(COURSES_KEY)
      shown = value as WindowCourse[]
    }
    recorder = new WindowRecorder({ show }, clock)
  })

  it('asks ten times a second, of the path in use, and says on which engine', async () => {
    const quic = connection()
    recorder.watch('in datagrams', () => quic)
    await clock.advance(150)
    Object.assign(quic, { cwnd: 8400, bytesInFlight: 600, rttMs: 60 })
    await clock.advance(60)
    expect(shown).to.deep.equal([
      {
        title: 'in datagrams',
        engine: 'typescript',
        everyMs: 100,
        untilMs: 200,
        atMs: [0, 100, 200],
        cwnd: [12_000, 12_000, 8400],
        inFlight: [1200, 1200, 600],
        rttMs: [50, 50, 60],
        movedAtMs: [],
      },
    ])
  })

  it('does not change what it has shown', async () => {
    recorder.watch('a tunnel', () => connection())
    const first = shown
    await clock.advance(300)
    expect(first[0]!.atMs).to.deep.equal([0])
  })

  it('knows no bytes in flight where the engine does not tell, and no round trip before one was measured', async () => {
    const quic = { ...connection({ bytesInFlight: undefined, rttMs: 333 }), engineName: 'quiche' as const }
    recorder.watch('a tunnel', () => quic)
    quic.rttMs = 333.25
    await clock.advance(100)
    expect(shown[0]).to.deep.include({ engine: 'quiche', inFlight: [undefined, undefined], rttMs: [undefined, 333.25] })
  })

  it('has no sample while there is no connection, or one that has ended', async () => {
    const quic = connection()
    let there = false
    recorder.watch('a tunnel', () => (there ? quic : undefined))
    expect(shown[0]).to.deep.include({ engine: undefined, atMs: [], untilMs: 0 })
    await clock.advance(200)
    there = true
    await clock.advance(200)
    quic.closed = true
    await clock.advance(300)
    expect(shown[0]).to.deep.include({ engine: 'typescript', atMs: [300, 400], untilMs: 700 })
  })

  it('makes up no samples for the time in which the process stood still, and asks on in the same steps', async () => {
    const late = new FakeClock()
    let now = 0
    late.now = () => now
    let ring = () => {}
    const due: number[] = []
    late.setTimeout = (callback, ms) => {
      ring = callback
      due.push(now + ms)
      return 1
    }
    recorder = new WindowRecorder({ show: (_, value) => (shown = value as WindowCourse[]) }, late)
    recorder.watch('a tunnel', () => connection())
    for (const at of [100, 730, 800]) {
      now = at
      ring()
    }
    expect(shown[0]!.atMs).to.deep.equal([0, 100, 730, 800])
    expect(due).to.deep.equal([100, 200, 800, 900])
  })

  it('keeps a bounded number of samples over any time: when it has them, half of them go, and it asks half as often', async () => {
    const quic = connection()
    recorder.watch('a tunnel', () => quic)
    await clock.advance(100 * (MOST_SAMPLES - 1))
    expect(shown[0]).to.deep.include({ everyMs: 200 })
    expect(shown[0]!.atMs).to.have.length(MOST_SAMPLES / 2)
    await clock.advance(400)
    expect(shown[0]!.atMs.slice(-3)).to.deep.equal([23_800, 24_000, 24_200])
    const asked = quic.asked
    await clock.advance(3_600_000)
    const { atMs, everyMs } = shown[0]!
    expect(atMs.length).to.be.at.most(MOST_SAMPLES)
    // Evenly, from the beginning on.
    expect(new Set(atMs.slice(1).map((at, i) => at - atMs[i]!))).to.deep.equal(new Set([everyMs]))
    expect(atMs[0]).to.equal(0)
    expect(quic.asked - asked).to.be.below(10 * MOST_SAMPLES)
  })

  it('says from when on packets go another way, and on another connection', async () => {
    const quic = connection()
    recorder.watch('a tunnel', () => quic)
    await clock.advance(100)
    quic.local = { host: '127.0.0.1', port: 50_001 }
    await clock.advance(100)
    quic.id = 'two'
    await clock.advance(200)
    expect(shown[0]!.movedAtMs).to.deep.equal([200, 300])
    for (let i = 0; i < 100; i++) {
      quic.id = `${i}`
      await clock.advance(100)
    }
    expect(shown[0]!.movedAtMs).to.have.length(20)
  })

  it('watches several connections on one axis of time, and no more than it has room for', async () => {
    recorder.watch('first', () => connection())
    await clock.advance(450)
    for (let i = 0; i < 2 * MOST_COURSES; i++) recorder.watch(`more ${i}`, () => connection())
    await clock.advance(100)
    expect(shown).to.have.length(MOST_COURSES)
    expect(shown[1]).to.deep.include({ title: 'more 0', atMs: [500] })
  })

  it('asks nothing any more once it is stopped', async () => {
    const quic = connection()
    recorder.watch('a tunnel', () => quic)
    recorder.stop()
    await clock.advance(1000)
    expect(quic.asked).to.equal(1)
    expect(clock.pendingTimers).to.equal(0)
  })

  it('is there for a check that somebody sits in front of, until that ends; in grading nothing is asked', () => {
    const undone: (() => unknown)[] = []
    const quic = connection()
    const context = (mode: 'live' | 'unattended') => ({
      mode,
      show: (_: string, value: unknown) => (shown = value as WindowCourse[]),
      defer: (undo: () => unknown) => undone.push(undo),
    })
    watchWindow(context('unattended'), 'a tunnel', () => quic)
    expect([quic.asked, undone]).to.deep.equal([0, []])
    const live = context('live')
    watchWindow(live, 'a tunnel', () => quic)
    watchWindow(live, 'another one', () => quic)
    expect(quic.asked).to.equal(1)
    expect(undone).to.have.length(1)
    expect(shown[0]!.title).to.equal('a tunnel')
    for (const undo of undone) undo()
  })
})
