import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { startFolder } from '../../../labs/kit/lab/exercises.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { lab } from '../../../labs/lab-05-congestion/lab.ts'
import { figuresOf, MAX_RUN_BYTES, RunError } from '../../../labs/lab-05-congestion/run-figures.ts'

const RUN = readFileSync(join(startFolder(ROOT, lab), 'run.sqlog'), 'utf8')

const ack = (time: number, ranges: number[][]) => ({
  time,
  name: 'transport:packet_received',
  data: { header: { packet_type: '1RTT' }, frames: [{ frame_type: 'ack', acked_ranges: ranges }] },
})
const lost = (time: number, packet_number: number, trigger: string) => ({
  time,
  name: 'recovery:packet_lost',
  data: { header: { packet_type: '1RTT', packet_number }, trigger },
})
const metrics = (time: number, data: object) => ({ time, name: 'recovery:metrics_updated', data })
const state = (time: number, state: string) => ({
  time,
  name: 'recovery:congestion_state_updated',
  data: { new: state },
})
const timer = (time: number, timer_type: string) => ({
  time,
  name: 'recovery:loss_timer_updated',
  data: { timer_type, event_type: 'expired' },
})
const text = (events: readonly object[]) => events.map(event => `\u001e${JSON.stringify(event)}\n`).join('')

const EVENTS = [
  metrics(1, { congestion_window: 12_000, smoothed_rtt: 50 }),
  ack(60, [[5, 9]]),
  lost(60, 4, 'reordering_threshold'),
  metrics(60, { congestion_window: 6000 }),
  state(60, 'recovery'),
  lost(70, 7, 'time_threshold'),
  timer(80, 'ack'),
  state(125.5, 'congestion_avoidance'),
  timer(300, 'pto'),
  { time: 300, name: 'transport:packet_sent', data: { trigger: 'pto_probe' } },
]

describe('labs/lab-05-congestion: the figures of a recorded run', () => {
  it('are what the events say', () => {
    const { windows, ...figures } = figuresOf(text(EVENTS))
    expect(figures).to.deep.equal({
      lost: 2,
      byPackets: 1,
      byTime: 1,
      ptos: 1,
      probes: 1,
      firstLost: 4,
      decidedBy: 9,
      windowBefore: 12_000,
      windowAfter: 6000,
      recoveryAt: 60,
      recoveryMs: 65.5,
      smoothedRtt: 50,
      endMs: 300,
    })
    expect(windows).to.deep.equal([
      { atMs: 1, window: 12_000 },
      { atMs: 60, window: 6000 },
    ])
  })

  it('of the run that is handed out are different for each question', () => {
    const { lost, byTime, decidedBy, ptos, byPackets, probes } = figuresOf(RUN)
    expect(new Set([lost, byTime, byPackets]).size).to.equal(3)
    expect(probes).to.not.equal(ptos)
    expect(decidedBy).to.be.greaterThan(0)
  })

  it('are not made up where the run lacks what is asked for', () => {
    for (const missing of [2, 4, 5, 7, 8]) {
      const events = EVENTS.filter((_, i) => i !== missing)
      expect(() => figuresOf(text(events)), `${missing}`).to.throw(RunError)
    }
    expect(() => figuresOf('')).to.throw(RunError)
    expect(() => figuresOf('{')).to.throw(RunError, /no JSON/)
    expect(() => figuresOf('7')).to.throw(RunError, /no JSON object/)
    expect(() => figuresOf(' '.repeat(MAX_RUN_BYTES + 1))).to.throw(RunError, /bytes/)
  })

  it('of any file are figures, or a RunError', () => {
    const value = fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.constant([]), fc.jsonValue())
    const events = fc.array(
      fc.oneof(
        fc.constantFrom(...EVENTS),
        fc.record({
          time: fc.integer(),
          name: fc.constantFrom(...EVENTS.map(({ name }) => name)),
          data: fc.dictionary(
            fc.constantFrom('header', 'frames', 'trigger', 'new', 'congestion_window', 'event_type'),
            value,
          ),
        }),
      ),
    )
    fc.assert(
      fc.property(events, list => {
        try {
          figuresOf(text(list))
        } catch (error) {
          expect(error).to.be.instanceOf(RunError)
        }
      }),
    )
  })
})
