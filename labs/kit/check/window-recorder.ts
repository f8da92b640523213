/**
 * How the QUIC connection of a tunnel is over time, for the panel: congestion window, bytes in flight, smoothed round-trip time.
 *
 *     connections ──asked every 100 ms──> samples, MOST_SAMPLES at most ──show──> the panel (ui/with-window.tsx)
 *
 * It asks, and is not told: no packet costs more because of it. A connection that ends, a process that stands still: there is no sample then, and none is
 * made up. In grading, where nobody looks, nothing is asked.
 */
import type { MasqueClient } from '../../../src/client/client.ts'
import { type Clock, systemClock } from '../../../src/hosts/clock.ts'
import type { QuicConnection } from '../../../src/quic/quic.ts'
import type { CheckContext, Live } from '../lab/types.ts'

/** As often as the panel is drawn. */
const EVERY_MS = 100
/** More than a wide terminal has columns. Then every second one is dropped, and it is asked half as often from then on. */
export const MOST_SAMPLES = 240
/** Connections of one check. */
export const MOST_COURSES = 8
const MOST_MOVES = 20
/** kInitialRtt of RFC 9002 §6.2.2, which both engines take before they have measured any: to the last digit, no measurement. */
const ASSUMED_RTT_MS = 333

/** Under this key of `context.show` the panel finds the courses. */
export const COURSES_KEY = 'kit: windows'

/** One connection. The four lists belong together: what was seen at `atMs[i]` is at `i` of the others. */
export interface WindowCourse {
  title: string
  /** Undefined: there was no connection yet. */
  engine: string | undefined
  /** How often it is asked now; samples are that far apart, or further where one is missing. */
  everyMs: number
  /** When it was asked last, whether there was an answer or not. All times are in ms since the check has begun to look, at this or another connection. */
  untilMs: number
  atMs: readonly number[]
  /** In bytes. */
  cwnd: readonly number[]
  /** In bytes. All undefined: the engine does not tell. */
  inFlight: readonly (number | undefined)[]
  /** Undefined: not measured yet on this path. */
  rttMs: readonly (number | undefined)[]
  /** When it was seen for the first time that packets go another way, or that it is another connection: then all begins anew. */
  movedAtMs: readonly number[]
}

type Watched = Pick<QuicConnection, 'id' | 'local' | 'remote' | 'closed' | 'engineName' | 'bytesInFlight' | 'paths'>
type Scope = Partial<Pick<CheckContext, 'mode' | 'show'>> & Pick<CheckContext, 'defer'>

const recorders = new WeakMap<object, WindowRecorder>()

/** Shows, until the check ends, how this connection is; `quic` is asked again and again, since a tunnel may come by another one. */
export function watchWindow(context: Scope, title: string, quic: () => Watched | undefined): void {
  const { mode, show } = context
  if (mode !== 'live' || show === undefined) return
  let recorder = recorders.get(context)
  if (recorder === undefined) {
    recorder = new WindowRecorder({ show: (key, value) => show.call(context, key, value) })
    recorders.set(context, recorder)
    const { stop } = recorder
    context.defer(stop)
  }
  recorder.watch(title, quic)
}

interface Sample {
  /** The number of the moment at which it was due. */
  turn: number
  atMs: number
  cwnd: number
  inFlight: number | undefined
  rttMs: number | undefined
}

interface Course {
  title: string
  quic: () => Watched | undefined
  engine: string | undefined
  samples: Sample[]
  way: string | undefined
  movedAtMs: number[]
}

/** The same of the connection that a client has its tunnel on. */
export function watchTunnel(context: Scope, title: string, client: Pick<MasqueClient, 'tunnel'>): void {
  watchWindow(context, title, () => client.tunnel?.quic)
}

export class WindowRecorder {
  readonly #live: Pick<Live, 'show'>
  readonly #clock: Clock
  readonly #courses: Course[] = []
  #everyMs = EVERY_MS
  #startedAt = 0
  #timer: unknown

  constructor(live: Pick<Live, 'show'>, clock: Clock = systemClock) {
    this.#live = live
    this.#clock = clock
  }

  /** Beyond MOST_COURSES: not watched. */
  watch(title: string, quic: () => Watched | undefined): void {
    if (this.#courses.length === MOST_COURSES) return
    this.#courses.push({ title, quic, engine: undefined, samples: [], way: undefined, movedAtMs: [] })
    if (this.#courses.length > 1) return
    this.#startedAt = this.#clock.now()
    this.#look(0)
  }

  readonly stop = (): void => {
    this.#clock.clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #look(due: number): void {
    const atMs = this.#clock.now() - this.#startedAt
    for (const course of this.#courses) sample(course, due, atMs)
    // Whoever comes late has missed the moments that have passed.
    const next = Math.max(due, Math.floor(atMs / this.#everyMs)) + 1
    const turn = next < MOST_SAMPLES ? next : this.#thinOut(next)
    this.#live.show(
      COURSES_KEY,
      this.#courses.map(course => shown(course, this.#everyMs, atMs)),
    )
    this.#timer = this.#clock.setTimeout(
      () => this.#look(turn),
      this.#startedAt + turn * this.#everyMs - this.#clock.now(),
    )
  }

  /** Returns the number of the next moment: it has another one then. */
  #thinOut(next: number): number {
    let turn = next
    while (turn >= MOST_SAMPLES) {
      this.#everyMs *= 2
      turn = Math.ceil(turn / 2)
      for (const course of this.#courses) {
        course.samples = course.samples.filter(sample => sample.turn % 2 === 0)
        for (const sample of course.samples) sample.turn /= 2
      }
    }
    return turn
  }
}

function sample(course: Course, turn: number, atMs: number): void {
  const quic = course.quic()
  if (quic === undefined || quic.closed) return
  const path = quic.paths().find(({ active }) => active)
  if (path === undefined) return
  const way = `${quic.id} ${Object.values(path.local)} ${Object.values(path.remote)}`
  if (course.way !== undefined && course.way !== way && course.movedAtMs.length < MOST_MOVES)
    course.movedAtMs.push(atMs)
  course.way = way
  course.engine = quic.engineName
  course.samples.push({
    turn,
    atMs,
    cwnd: path.cwnd,
    inFlight: quic.bytesInFlight,
    rttMs: path.rttMs === ASSUMED_RTT_MS ? undefined : path.rttMs,
  })
}

/** A copy: what was shown stays as it was. */
function shown({ title, engine, samples, movedAtMs }: Course, everyMs: number, untilMs: number): WindowCourse {
  return {
    title,
    engine,
    everyMs,
    untilMs,
    atMs: samples.map(({ atMs }) => atMs),
    cwnd: samples.map(({ cwnd }) => cwnd),
    inFlight: samples.map(({ inFlight }) => inFlight),
    rttMs: samples.map(({ rttMs }) => rttMs),
    movedAtMs: [...movedAtMs],
  }
}
