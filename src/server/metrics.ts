/**
 * What Prometheus reads from /metrics. Which metrics there are is in metrics/catalogue.ts.
 *
 * The packet path only counts plain numbers in its own objects. Everything here is filled in from those (metrics/fill-in.ts) when somebody
 * asks, except the histograms: of set-up times, and of the time of one packet in 64.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { HttpVersion } from '../carriers/http-connection.ts'
import { STAGES, type StageObserver } from '../carriers/stage-clock.ts'
import type { CATALOGUE } from './metrics/catalogue.ts'
import { fillIn } from './metrics/fill-in.ts'
import { Instruments } from './metrics/instruments.ts'
import type { MetricsSource } from './metrics/readings.ts'

export interface MetricsOptions {
  /** Also report the process: CPU, memory, event loop lag, garbage collection. */
  process?: boolean
}

/** Of `masque_vpn_errors_total`: never text from a peer. */
export type ErrorType = (typeof CATALOGUE)['masque_vpn_errors_total']['labels']['type'][number]

export class ServerMetrics implements StageObserver {
  /** Its own, so that several servers in one process (as in the tests) do not share their numbers. */
  readonly registry = new Registry()
  /** Of the process, where they are wanted. */
  readonly process: Registry | undefined
  readonly #source: MetricsSource
  readonly #instruments = new Instruments(this.registry)
  readonly #errors = new Map<ErrorType, number>()

  constructor(source: MetricsSource, options: MetricsOptions = {}) {
    this.#source = source
    if (!options.process) return
    this.process = new Registry()
    collectDefaultMetrics({ register: this.process })
  }

  /** The content type that goes with `text`. */
  get contentType(): string {
    return this.registry.contentType
  }

  /** All metrics in Prometheus' text format. */
  async text(): Promise<string> {
    const readings = await this.#source.readings()
    // In steps, each of a millisecond or two with a thousand clients: packets pass in between.
    await turn()
    fillIn(this.#instruments, readings)
    this.#instruments.countEach('masque_vpn_errors_total', 'type', Object.fromEntries(this.#errors))
    await turn()
    const own = await this.registry.metrics()
    await turn()
    return own + ((await this.process?.metrics()) ?? '')
  }

  /** Takes some microseconds itself, which is why it is called for one packet in 64. */
  onPacketTimed(ms: number, stagesMs: Readonly<Float64Array>): void {
    this.#instruments.observe('masque_vpn_packet_processing_duration_seconds', ms / 1000)
    for (let i = 0; i < STAGES.length; i++) {
      if (Number.isNaN(stagesMs[i])) continue
      this.#instruments.observe('masque_vpn_packet_stage_duration_seconds', stagesMs[i] / 1000, { stage: STAGES[i] })
    }
  }

  /** The handshake of a connection is over. */
  observeHandshake(carrier: HttpVersion, ms: number): void {
    this.#instruments.observe('masque_vpn_handshake_duration_seconds', ms / 1000, { carrier })
  }

  /** A request for a tunnel has its answer, and addresses. */
  observeSessionSetup(carrier: HttpVersion, ms: number): void {
    this.#instruments.observe('masque_vpn_session_setup_duration_seconds', ms / 1000, { carrier })
  }

  countError(type: ErrorType): void {
    this.#errors.set(type, (this.#errors.get(type) ?? 0) + 1)
  }
}

/** What else waits in the event loop goes first. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
