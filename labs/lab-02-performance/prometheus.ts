/** A real Prometheus for a minute, where one is installed: it scrapes what the check serves. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Prometheus } from '../../src/testbed/prometheus.ts'
import type { CheckContext } from '../kit/lab/types.ts'

/** Prometheus itself allows no less; the first scrape comes within this time. */
const SCRAPE_EVERY_S = 1

type Scope = Pick<CheckContext, 'scratch' | 'defer' | 'signal'>

/** Resolves when it listens. It is ended with the check. `targets`: HOST:PORT of what has /metrics. */
export async function startPrometheus(scope: Scope, targets: readonly string[]): Promise<Prometheus> {
  const folder = join(await scope.scratch(), 'prometheus')
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'prometheus.yml')
  writeFileSync(config, configText(targets))
  const prometheus = await Prometheus.start({ config, folder, signal: scope.signal })
  scope.defer(() => prometheus.close())
  return prometheus
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
