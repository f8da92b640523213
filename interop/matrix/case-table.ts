/** The cases of the QUIC interop runner by name, whoever they were tried with, from what has run: a table, and the same for programs. */

import type { Pass } from './render.ts'
import type { Outcome } from './results.ts'
import { table } from './table.ts'

/** Of the interop runner, in its order. */
export const RUNNER_CASES = [
  'handshake',
  'transfer',
  'longrtt',
  'chacha20',
  'multiplexing',
  'retry',
  'resumption',
  'http3',
  'blackhole',
  'keyupdate',
  'ecn',
  'amplificationlimit',
  'handshakeloss',
  'transferloss',
  'handshakecorruption',
  'transfercorruption',
  'goodput',
  'crosstraffic',
  'rebind-port',
  'rebind-addr',
  'connectionmigration',
] as const
export type RunnerCase = (typeof RUNNER_CASES)[number]

export const NO_ECN = 'neither quiche 0.18 nor aioquic marks packets for ECN, or tells what marks have arrived'

/** Why it is not tried with those that have no suite of these cases. */
const UNTRIED: Partial<Record<RunnerCase, string>> = {
  ecn: NO_ECN,
}

/** Who speaks with whom: the engine of ours whose turn it was, and the suite. */
interface Pair {
  client: string
  server: string
  engine: string
  suite: string
  /** Cases of that suite, by their titles. Default: the one whose title begins with `QUIC NAME:`. */
  titles?: Partial<Record<RunnerCase, string>>
  /** HTTP/3 is tried in all cases of another suite. */
  http3Suite?: string
}

const AIOQUIC_CLIENT: Partial<Record<RunnerCase, string>> = {
  handshake: 'Q-02 takes h3 among other protocols',
  chacha20: 'speaks CHACHA20_POLY1305_SHA256',
  multiplexing: 'lets a client have a hundred requests under way',
  retry: 'accepts a client that it makes prove its address first',
  resumption: 'resumes a TLS session',
  http3: 'H3-02 ignores reserved settings, frames and stream types',
  keyupdate: 'goes on after key updates from the client',
  'rebind-port': 'Q-03 goes on after five changes of the client’s port',
  connectionmigration: 'Q-03 goes on when port and connection id change together, three times',
}

const AIOQUIC_PROXY: Partial<Record<RunnerCase, string>> = {
  handshake: 'H3-02 ignores reserved settings, frames and stream types',
  retry: 'proves its address after a Retry',
  http3: 'H3-02 ignores reserved settings, frames and stream types',
  keyupdate: 'goes on after key updates from the proxy',
}

const PAIRS: readonly Pair[] = [
  ...(['typescript', 'quiche'] as const).map(engine => ({
    client: engine,
    server: engine === 'quiche' ? 'typescript' : 'quiche',
    engine,
    suite: 'our QUIC, a client of its other engine',
  })),
  ...(['typescript', 'quiche'] as const).flatMap(engine => [
    {
      client: engine,
      server: 'quic-go',
      engine,
      suite: 'our QUIC, a client of quic-go',
      http3Suite: 'our client against the Go proxy',
    },
    {
      client: 'quic-go',
      server: engine,
      engine,
      suite: 'quic-go, a client of our QUIC',
      http3Suite: 'the Go client against our server',
    },
    { client: engine, server: 'aioquic', engine, suite: 'aioquic, a proxy of our client', titles: AIOQUIC_PROXY },
    { client: 'aioquic', server: engine, engine, suite: 'aioquic, a client of our proxy', titles: AIOQUIC_CLIENT },
  ]),
]

/** One case between two. `untried` is told with a reason where there is one, and without where nobody has written it. */
export interface CaseResult {
  case: RunnerCase
  client: string
  server: string
  result: 'passed' | 'failed' | 'untried'
  why?: string
  /** Mbit/s; of several connections one after the other. */
  goodput?: string
}

export function runnerCases(passes: readonly Pass[]): CaseResult[] {
  return RUNNER_CASES.flatMap(name => PAIRS.map(pair => resultOf(name, pair, passes)))
}

function resultOf(name: RunnerCase, pair: Pair, passes: readonly Pass[]): CaseResult {
  const { client, server } = pair
  const outcomes = outcomesOf(name, pair, passes)
  const has = (wanted: Outcome['kind']) => outcomes.some(({ kind }) => kind === wanted)
  const base = { case: name, client, server }
  if (has('failed')) return { ...base, result: 'failed' }
  if (has('passed')) {
    const goodput = remarkOf('passed', outcomes)
    return { ...base, result: 'passed', ...(goodput !== undefined && { goodput }) }
  }
  const why = remarkOf('skipped', outcomes) ?? UNTRIED[name]
  return { ...base, result: 'untried', ...(why !== undefined && { why }) }
}

/** Of those that ended so: of a case that passed it is what was measured, of one that was skipped why. */
function remarkOf(wanted: 'passed' | 'skipped', outcomes: readonly Outcome[]): string | undefined {
  return outcomes.flatMap(outcome => (outcome.kind === wanted ? (outcome.remark ?? []) : []))[0]
}

function outcomesOf(name: RunnerCase, { engine, suite, titles, http3Suite }: Pair, passes: readonly Pass[]): Outcome[] {
  const results = passes.find(pass => pass.engine === engine)?.results
  if (name === 'http3' && http3Suite !== undefined) return [...(results?.get(http3Suite)?.values() ?? [])]
  return [...(results?.get(suite) ?? [])]
    .filter(([title]) => (titles === undefined ? title.startsWith(`QUIC ${name}:`) : title === titles[name]))
    .map(([, outcome]) => outcome)
}

const HEADING = '## The cases of the QUIC interop runner'

/** As a section of Markdown. */
export function caseTable(results: readonly CaseResult[]): string {
  const whys: string[] = []
  const mark = ({ result, why, goodput }: CaseResult): string => {
    if (result === 'failed') return '✘'
    if (result === 'passed') return goodput === undefined ? '✔' : `✔ ${goodput}`
    if (why === undefined) return '—'
    if (!whys.includes(why)) whys.push(why)
    return `— ${letter(whys.indexOf(why))}`
  }
  const rows = RUNNER_CASES.map(name => [name, ...results.filter(each => each.case === name).map(mark)])
  const head = ['client → server', ...PAIRS.map(({ client, server }) => `${client} → ${server}`)]
  const why = whys.map((text, i) => `- ${letter(i)}: ${text}`).join('\n')
  return `${HEADING}

By the names of the [interop runner](https://github.com/quic-interop/quic-interop-runner)'s cases; not its programs, and not its numbers: what is tried stands in
[quic-cases.ts](../interop/harness/quic-cases.ts), over UDP with a path between both ends that loses, spoils and delays, and for aioquic in the cases of the tables below.
The same for programs: [interop-cases.json](interop-cases.json). ✔ passed, ✘ failed, — not tried, with a letter where it says why. Of goodput and crosstraffic the
figures are Mbit/s on a path of 10 Mbit/s, of each connection, as the machine was busy then; they are shown, not judged.

${table(head, rows)}${why === '' ? '' : `\n\n${why}`}`
}

/** The page with that section written anew. */
export function withCaseTable(page: string, results: readonly CaseResult[]): string {
  const begin = page.indexOf(HEADING)
  const end = page.indexOf('\n\n## ', begin)
  return page.slice(0, begin) + caseTable(results) + page.slice(end)
}

const letter = (i: number): string => String.fromCharCode('a'.charCodeAt(0) + i)
