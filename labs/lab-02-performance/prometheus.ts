/** A real Prometheus for a minute, where one is installed: it scrapes what the check serves, and is asked in PromQL. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { CheckContext } from '../kit/lab/types.ts'

/** Prometheus itself allows no less; the first scrape comes within this time. */
const SCRAPE_EVERY_S = 1
const PATIENCE_MS = 30_000

export interface Sample {
  labels: Readonly<Record<string, string>>
  value: number
}

type Scope = Pick<CheckContext, 'scratch' | 'defer' | 'signal'>

/** The version that is installed here, such as `2.42.0`; undefined: none. */
export function prometheusVersion(): string | undefined {
  const { stdout, stderr } = spawnSync('prometheus', ['--version'], { encoding: 'utf8', timeout: 10_000 })
  return /version (\d[\w.]*)/.exec(`${stdout ?? ''}${stderr ?? ''}`)?.[1]
}

export class Prometheus {
  readonly #url: string
  readonly #signal: AbortSignal

  private constructor(url: string, signal: AbortSignal) {
    this.#url = url
    this.#signal = signal
  }

  /** Resolves when it listens. It is ended with the check. `targets`: HOST:PORT of what has /metrics. */
  static async start(scope: Scope, targets: readonly string[]): Promise<Prometheus> {
    const folder = join(await scope.scratch(), 'prometheus')
    mkdirSync(folder, { recursive: true })
    const config = join(folder, 'prometheus.yml')
    writeFileSync(config, configText(targets))
    const child = spawn(
      'prometheus',
      [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`, '--web.listen-address=127.0.0.1:0'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    scope.defer(() => ended(child))
    const address = await listening(child, scope.signal)
    return new Prometheus(`http://${address}`, scope.signal)
  }

  /** The result of an instant query; `at`: seconds since 1970, for several queries about the same moment. */
  async query(expression: string, at: number): Promise<Sample[]> {
    const parameters = new URLSearchParams({ query: expression, time: String(at) })
    const response = await fetch(`${this.#url}/api/v1/query?${parameters}`, {
      headers: { connection: 'close' },
      signal: AbortSignal.any([this.#signal, AbortSignal.timeout(PATIENCE_MS)]),
    })
    const { data } = (await response.json()) as {
      data: { result: { metric: Record<string, string>; value: [number, string] }[] }
    }
    return data.result.map(({ metric, value }) => ({ labels: metric, value: parseNumber(value[1]) }))
  }

  /** Waits until each of these expressions has a result; returns a moment at which they have. */
  async scraped(expressions: readonly string[]): Promise<number> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const at = Date.now() / 1000
      const results = await Promise.all(expressions.map(expression => this.query(expression, at)))
      if (results.every(result => result.length > 0)) return at
      if (performance.now() > deadline) throw new Error(`Prometheus has scraped nothing in ${PATIENCE_MS / 1000} s`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }
}

/** A page with metrics in Prometheus' text format. Returns its HOST:PORT. */
export async function serveMetrics(scope: Pick<CheckContext, 'defer'>, text: () => string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(text())
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  scope.defer(() => {
    server.close()
    server.closeAllConnections()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** As Prometheus writes them: `+Inf`, `-Inf`, `NaN`, `1e-05`. */
export function parseNumber(text: string): number {
  if (/^\+?Inf$/.test(text)) return Infinity
  return text === '-Inf' ? -Infinity : Number(text)
}

export function numberText(value: number): string {
  if (Math.abs(value) === Infinity) return value > 0 ? '+Inf' : '-Inf'
  return String(value)
}

function configText(targets: readonly string[]): string {
  return [
    'global:',
    `  scrape_interval: ${SCRAPE_EVERY_S}s`,
    'scrape_configs:',
    '  - job_name: lab',
    '    static_configs:',
    `      - targets: [${targets.map(target => `"${target}"`).join(', ')}]`,
    '',
  ].join('\n')
}

/** Prometheus says in its log where it listens. */
async function listening(child: ChildProcess, signal: AbortSignal): Promise<string> {
  return await new Promise((resolve, reject) => {
    let log = ''
    const timer = setTimeout(() => reject(new Error('Prometheus does not start')), PATIENCE_MS)
    const settle = (action: () => void) => {
      clearTimeout(timer)
      action()
    }
    signal.addEventListener('abort', () => settle(() => reject(signal.reason)), { once: true })
    child.once('error', error => settle(() => reject(error)))
    child.once('exit', () => settle(() => reject(new Error(`Prometheus ended: ${log.slice(-300)}`))))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-20_000)
      const address = /msg="Listening on" address=(127\.0\.0\.1:\d+)/.exec(log)?.[1]
      if (address !== undefined && /msg="Server is ready/.test(log)) settle(() => resolve(address))
    })
  })
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}
