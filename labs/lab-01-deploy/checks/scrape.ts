/** Task 8: a configuration with which Prometheus asks the student's proxy: read key by key, and used. */
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { readRegularFile } from '../../../src/config/read-file.ts'
import type { ServerConfig } from '../../../src/server/config.ts'
import { Prometheus, prometheusVersion } from '../../../src/testbed/prometheus.ts'
import { printable } from '../../../src/text/printable.ts'
import { CheckFailure } from '../../kit/check/check-failure.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { connect, loadServer, ownClient, startServer } from '../deployment.ts'
import { parseScrapeConfig, SCRAPE_FILE, SCRAPE_READ, type ScrapeJob, shown } from '../scrape-config.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

/** Ports with an idea behind them. */
function wrongPort(port: number, { listen, api }: ServerConfig): string | undefined {
  if (port === listen.port && port !== api.port) {
    return 'That is the UDP port on which the proxy speaks QUIC with its clients. Prometheus asks over TCP, where the REST API listens.'
  }
  if (port === 9090)
    return 'On 9090 Prometheus itself listens. It can ask itself, too, but then it knows nothing of the proxy.'
  if (port === 3000) return 'On 3000 Grafana listens. It asks Prometheus, and draws; Prometheus does not ask it.'
  return undefined
}

/** Hosts with an idea behind them. */
function wrongHost(host: string): string | undefined {
  if (/^(?:10\.|fd00:)/.test(host)) {
    return 'That is an address inside of the tunnel. The REST API is no part of that network: it listens on an address of the machine, as server.toml says under [api].'
  }
  if (host === '0.0.0.0' || host === '::') {
    return 'That says where a server listens: everywhere. Who asks has to name one address.'
  }
  if (host === 'host.docker.internal') {
    return 'That is for a Prometheus inside of a container. This one runs beside the proxy.'
  }
  return undefined
}

// Reference ------------------------------------------------------------------------------------------------------------

const INTERVAL_MS = { least: 1000, most: 15_000 } as const
const LABEL = { name: 'site', value: 'classroom' } as const
const METRIC = 'masque_vpn_active_connections'
/** How Prometheus 2 asks. */
const ACCEPT = 'application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
const MOST_BYTES = 1024 ** 2
/** A start takes a second, and the first scrape comes 5 s later; this is for a machine that is busy. */
const PROMETHEUS_PATIENCE_MS = 60_000

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const jobs = await context.do(`read ${SCRAPE_FILE}`, () => parseScrapeConfig(readScrapeFile(context)))
  const config = await loadServer(context)
  const scraped = expectProxy(context, jobs, config)
  const file = join(context.exercises, SCRAPE_FILE)
  const hasPromtool = context.withOthers && (await expectPromtool(context, file))
  const server = await startServer(context, config)
  await connect(context, server, await ownClient(context))
  await expectScrape(context, scraped, new URL(server.apiUrl))
  const version = context.withOthers ? prometheusVersion() : undefined
  if (version === undefined) {
    await context.do(
      `ask a real Prometheus: skipped, ${context.withOthers ? 'there is no program "prometheus" on this machine' : 'it takes no part in grading'}`,
      () => {},
    )
  } else await expectPrometheus(context, version, scraped, new URL(server.apiUrl).host)
  const by = [
    'the check, as Prometheus does it',
    ...(hasPromtool ? ['promtool has nothing against the file'] : []),
    ...(version === undefined ? [] : [`Prometheus ${version} has scraped it, too`]),
  ]
  return {
    passed: true,
    expected: 'a configuration with which Prometheus asks your proxy',
    found: `${METRIC} and the other metrics from ${scraped.target}, every ${scraped.job.intervalMs / 1000} s, with ${LABEL.name}="${LABEL.value}" (scraped by ${by.join('; ')})`,
    read: SCRAPE_READ,
  }
}

function readScrapeFile({ exercises }: CheckContext): string {
  try {
    return readRegularFile(join(exercises, SCRAPE_FILE)).toString('utf8')
  } catch (error) {
    throw new CheckFailure({
      expected: `${SCRAPE_FILE} in the exercise folder`,
      found: `that it cannot be read (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}). npm run lab -- 1 --reset scrape puts the starting file there`,
      read: SCRAPE_READ,
    })
  }
}

interface Scraped {
  job: ScrapeJob
  target: string
  labels: Readonly<Record<string, string>>
}

/** Where the proxy is asked: once, and as the task says. */
function expectProxy(context: CheckContext, jobs: readonly ScrapeJob[], config: ServerConfig): Scraped {
  const { api } = config
  context.expect('the REST API of the proxy is on, without TLS', api.enabled && !api.tls, {
    expected: 'server.toml: an [api] as in the starting file, which Prometheus can ask over plain HTTP on loopback',
    found: api.enabled ? 'api.tls = true' : 'api.enabled = false',
  })
  const all = jobs.flatMap(job =>
    job.groups.flatMap(({ targets, labels }) => targets.map((target): Scraped => ({ job, target, labels }))),
  )
  const ours = all.filter(({ target }) => isApi(target, api))
  context.expect('the proxy is a target', ours.length > 0, () => {
    const ideas = all.map(({ target, job }) => ideaOf(target, job, config))
    return {
      expected: `a target that is HOST:PORT of your REST API, as server.toml has it under [api]`,
      found: all
        .slice(0, 5)
        .map(({ target }) => `"${shown(target)}"`)
        .join(', '),
      misconception: ideas.find(idea => idea !== undefined),
      read: ['labs/lab-01-deploy/exercises/server.toml, [api]', ...SCRAPE_READ],
    }
  })
  // Prometheus itself takes the same target twice in one job for one, when its labels are the same.
  const series = new Set(
    ours.map(({ job, target, labels }) => [job.name, target, ...Object.entries(labels).sort()].join()),
  )
  context.expect('it is asked by one job, under one name', series.size === 1, () => ({
    expected: 'the proxy to be a target once',
    found: ours
      .map(({ job, target }) => `"${target}" in the job "${shown(job.name)}"`)
      .join(' and ')
      .slice(0, 300),
    misconception:
      'Each name of a target, and each job, makes series of its own. Of a proxy that is asked twice, every sum counts everything twice.',
    read: SCRAPE_READ,
  }))
  const [scraped] = ours
  const { job, labels } = scraped
  context.expect('it is asked over HTTP', job.scheme === 'http', {
    expected: 'the scheme that your REST API speaks: server.toml has no api.tls',
    found: `scheme: ${job.scheme}`,
    misconception:
      'QUIC is always encrypted; the REST API beside it speaks plain HTTP on loopback, which no packet leaves.',
    read: SCRAPE_READ,
  })
  const { least, most } = INTERVAL_MS
  context.expect('it is asked as often as it should be', job.intervalMs >= least && job.intervalMs <= most, {
    expected: `a scrape_interval from ${least / 1000} s to ${most / 1000} s`,
    found: `a scrape each ${job.intervalMs / 1000} s`,
    misconception:
      job.intervalMs < least
        ? 'Each scrape costs the proxy a few milliseconds, and little changes within one second that a graph could show.'
        : job.intervalMs === 60_000
          ? 'When nothing is said, Prometheus asks once in one minute: a burst of a few seconds is over before anybody has looked.'
          : 'What happens between two scrapes is not seen: a burst of a few seconds would be spread over all that time. (And after 5 minutes without a new value, a graph ends.)',
    read: SCRAPE_READ,
  })
  context.expect(`its series have ${LABEL.name}="${LABEL.value}"`, labels[LABEL.name] === LABEL.value, {
    expected: `the label ${LABEL.name} with the value ${LABEL.value} on every series of the proxy: labels, beside its targets`,
    found: labels[LABEL.name] === undefined ? 'no such label there' : `${LABEL.name}="${shown(labels[LABEL.name])}"`,
    misconception:
      labels[LABEL.name] === undefined
        ? 'external_labels are added when something leaves this Prometheus, for an alert manager or another Prometheus. Queries in this one do not see them: what a query is to see belongs to the targets.'
        : 'Labels are compared letter by letter.',
    read: SCRAPE_READ,
  })
  return scraped
}

/** `[::1]:8080`, `localhost:8080`, `localhost`. */
function partsOf(target: string): { host: string; port: number | undefined } {
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(target) ?? []
  return { host: (bracketed ?? plain).toLowerCase(), port: port === undefined ? undefined : Number(port) }
}

/** Whether a program on this machine that asks `target` asks the REST API. */
function isApi(target: string, api: ServerConfig['api']): boolean {
  const { host, port = 80 } = partsOf(target)
  const own = api.host.toLowerCase()
  const names = own === 'localhost' ? ['localhost', '127.0.0.1', '::1'] : ['localhost', own]
  return port === api.port && names.includes(host)
}

function ideaOf(target: string, { scheme }: ScrapeJob, config: ServerConfig): string | undefined {
  const { host, port } = partsOf(target)
  if (host === '') return undefined
  if (port === undefined) {
    return `Without a port, Prometheus takes that of the scheme: port ${scheme === 'https' ? 443 : 80}.`
  }
  return wrongHost(host) ?? wrongPort(port, config)
}

/** What Prometheus' own tool has against it. False: it is not installed. */
async function expectPromtool(context: CheckContext, file: string): Promise<boolean> {
  const said = await context.do('promtool check config', () => promtool(['check', 'config', file], context.signal))
  if (said === undefined) return false
  context.expect('promtool has nothing against it', said.failed === '', {
    expected: 'a configuration that Prometheus takes',
    found: said.failed.replaceAll(file, SCRAPE_FILE).slice(0, 400).split('\n').map(printable).join('\n'),
    read: SCRAPE_READ,
  })
  return true
}

function promtool(args: readonly string[], signal: AbortSignal): Promise<{ failed: string } | undefined> {
  return new Promise((resolve, reject) => {
    execFile(
      'promtool',
      args,
      { signal, encoding: 'utf8', timeout: PROMETHEUS_PATIENCE_MS },
      (error, stdout, stderr) => {
        if (error === null) resolve({ failed: '' })
        else if (error.code === 'ENOENT') resolve(undefined)
        else if (signal.aborted || error.killed) reject(error)
        else resolve({ failed: `${stderr}${stdout}`.trim() || error.message })
      },
    )
  })
}

/** One scrape, of the student's proxy: it listens on another port here, and is called what the student's file calls it. */
async function expectScrape(context: CheckContext, { job, target }: Scraped, api: URL): Promise<void> {
  const url = new URL(api)
  url.pathname = job.path
  const answer = await context.do(`GET ${job.scheme}://${target}${shown(job.path)}`, () =>
    get(url, target, context.signal),
  )
  const isText = /^(?:text\/plain|application\/openmetrics-text)\b/.test(answer.type)
  const isJson = answer.type.includes('json')
  context.expect('the answer is a page of metrics', answer.status === 200 && isText, {
    expected: `what is at ${target}${shown(job.path)} to be metrics in Prometheus' text format`,
    found: `status ${answer.status}, ${answer.type || 'of no type'}`,
    misconception:
      answer.status === 200 && isJson
        ? 'JSON is for programs that know this API. Prometheus reads a text format of its own, one line for each series, and the proxy has a path for that.'
        : answer.status === 404
          ? 'The proxy has no such path. Metrics are not under /api/v1: their path is the one that Prometheus takes when none is given.'
          : undefined,
    read: ['docs/monitoring.md', 'docs/api.md, GET /metrics'],
  })
  const value = new RegExp(`^${METRIC} (\\d+)$`, 'm').exec(answer.text)?.[1]
  context.expect(`${METRIC} is 1: the client of this check`, value === '1', {
    expected: `a page with ${METRIC} 1`,
    found: value === undefined ? 'a page without it' : `${METRIC} ${value}`,
    read: ['docs/monitoring.md'],
  })
}

function get(url: URL, host: string, signal: AbortSignal): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { host, accept: ACCEPT, connection: 'close' }
    const asked = request(url, { headers, signal, timeout: 10_000 }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        if (text.length > MOST_BYTES) response.destroy(new Error(`the answer has more than ${MOST_BYTES} bytes`))
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
      )
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in 10 s')))
    asked.on('error', reject)
    asked.end()
  })
}

/** The student's job as it was read, for the port on which the proxy listens here, and without a wait: what else it names is not asked. */
async function expectPrometheus(
  context: CheckContext,
  version: string,
  { job, labels }: Scraped,
  address: string,
): Promise<void> {
  const prometheus = await context.do(`start Prometheus ${version}`, async () => {
    const folder = join(await context.scratch(), 'prometheus')
    mkdirSync(folder, { recursive: true })
    const config = join(folder, SCRAPE_FILE)
    writeFileSync(
      config,
      stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [
          {
            job_name: job.name,
            scheme: job.scheme,
            metrics_path: job.path,
            static_configs: [{ targets: [address], labels }],
          },
        ],
      }),
    )
    const started = await Prometheus.start({
      config,
      folder,
      signal: context.signal,
      patienceMs: PROMETHEUS_PATIENCE_MS,
    })
    context.defer(() => started.close())
    return started
  })
  await context.do('let it scrape the proxy, and ask it in PromQL', async () => {
    context.progress(0, 1, 'Prometheus waits about 5 s before its first scrape')
    const up = `up{${LABEL.name}="${LABEL.value}"} == 1`
    await prometheus.scraped([up, `${METRIC}{${LABEL.name}="${LABEL.value}"} == 1`])
    context.progress(1, 1, 'scraped')
  })
}
