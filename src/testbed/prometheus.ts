/**
 * A real Prometheus, where one is installed: it scrapes what its configuration names, and is asked in PromQL.
 *
 *     const prometheus = await Prometheus.start({ config: 'prometheus.yml', folder })
 *     try {
 *       await prometheus.scraped(['up == 1'])
 *       await prometheus.query('rate(masque_vpn_bytes_total[1m])')
 *     } finally {
 *       await prometheus.close()
 *     }
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { untilReady } from '../process/until-ready.ts'

/** A start takes a second; the first scrape comes 5 s later. This is for a machine that is busy. */
const PATIENCE_MS = 30_000
const LISTENS = /msg="Listening on".* address=(\S+)/
/** Both are said at the start, in any order. */
const READY = new RegExp(`(?=[\\s\\S]*${LISTENS.source})(?=[\\s\\S]*Server is ready)`)

export interface PrometheusOptions {
  /** Its configuration file. */
  config: string
  /** Its database goes into a folder in here. */
  folder: string
  /** Ends it, at any time. */
  signal?: AbortSignal
  patienceMs?: number
}

/** One of the series in a result. */
export interface Sample {
  labels: Readonly<Record<string, string>>
  value: number
}

/** The version that is installed here, such as `2.42.0`; undefined: none. */
export function prometheusVersion(): string | undefined {
  const { stdout, stderr } = spawnSync('prometheus', ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return /version (\d[\w.]*)/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1]
}

export class Prometheus {
  /** Of its page and its HTTP API, without a slash at the end; on a free port of loopback. */
  readonly url: string
  readonly #child: ChildProcess
  readonly #options: PrometheusOptions

  private constructor(url: string, child: ChildProcess, options: PrometheusOptions) {
    this.url = url
    this.#child = child
    this.#options = options
  }

  /** Resolves when it listens. Rejects, with nothing left behind, when it does not start, or with the signal's reason. */
  static async start(options: PrometheusOptions): Promise<Prometheus> {
    const { config, folder, signal, patienceMs = PATIENCE_MS } = options
    const child = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        '--web.listen-address=127.0.0.1:0',
        '--log.level=info',
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], signal },
    )
    let said = ''
    const hear = (text: string): void => {
      said += text
    }
    child.stderr?.setEncoding('utf8').on('data', hear)
    try {
      await untilReady(child, {
        ready: READY,
        timeoutMs: patienceMs,
        failure: (how, log) => new Error(`Prometheus ${how}: ${log.slice(-300)}`),
      })
    } catch (error) {
      await ended(child)
      signal?.throwIfAborted()
      throw error
    }
    child.stderr?.off('data', hear)
    return new Prometheus(`http://${LISTENS.exec(said)?.[1]}`, child, options)
  }

  /** The result of an instant query; `at`: seconds since 1970, for several queries about the same moment; default now. */
  async query(expression: string, at: number = Date.now() / 1000): Promise<Sample[]> {
    const { resultType, result } = await this.get<Result>('query', { query: expression, time: String(at) })
    if (resultType === 'scalar') return [{ labels: {}, value: parseNumber(result[1]) }]
    return result.map(({ metric, value }) => ({ labels: metric, value: parseNumber(value[1]) }))
  }

  /** Waits until each of these expressions has a result; returns a moment at which they have. */
  async scraped(expressions: readonly string[]): Promise<number> {
    const { patienceMs = PATIENCE_MS } = this.#options
    const deadline = performance.now() + patienceMs
    for (;;) {
      const at = Date.now() / 1000
      const results = await Promise.all(expressions.map(expression => this.query(expression, at)))
      const missing = expressions.filter((_, index) => results[index].length === 0)
      if (missing.length === 0) return at
      if (performance.now() > deadline) {
        throw new Error(`Prometheus has scraped nothing in ${patienceMs / 1000} s for ${missing.join(' and ')}`)
      }
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  /** `data` of what its HTTP API answers, such as `get('rules')`. Rejects with its sentence when it answers with an error. */
  async get<T>(path: string, parameters: Record<string, string> = {}): Promise<T> {
    const { signal, patienceMs = PATIENCE_MS } = this.#options
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters)}`, {
      headers: { connection: 'close' },
      signal: AbortSignal.any([AbortSignal.timeout(patienceMs), ...(signal === undefined ? [] : [signal])]),
    })
    const { status, error, data } = (await response.json()) as { status: string; error?: string; data: T }
    if (status !== 'success') throw new Error(`${parameters.query ?? path}: ${error}`)
    return data
  }

  /** Idempotent. */
  close(): Promise<void> {
    return ended(this.#child)
  }
}

type Result =
  | { resultType: 'scalar'; result: [at: number, value: string] }
  | { resultType: 'vector'; result: { metric: Record<string, string>; value: [at: number, value: string] }[] }

/** As Prometheus writes them: `+Inf`, `-Inf`, `NaN`, `1e-05`. */
export function parseNumber(text: string): number {
  if (/^\+?Inf$/.test(text)) return Infinity
  return text === '-Inf' ? -Infinity : Number(text)
}

export function numberText(value: number): string {
  if (Math.abs(value) === Infinity) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

/** It keeps nothing that is worth a graceful end. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
