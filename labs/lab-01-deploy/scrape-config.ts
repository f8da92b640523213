/**
 * Prometheus' configuration, as far as a proxy on this machine needs it: what is asked, how often, and which labels the answer gets. Read as
 * Prometheus 2 reads it; https://prometheus.io/docs/prometheus/latest/configuration/configuration/.
 */
import { parse, YAMLParseError } from 'yaml'
import { printable } from '../../src/text/printable.ts'
import { CheckFailure } from '../kit/check/check-failure.ts'
import type { Otherwise } from '../kit/lab/types.ts'

export const SCRAPE_FILE = 'prometheus.yml'
export const SCRAPE_READ = [
  'prometheus.io/docs, Configuration, <scrape_config> and <static_config>',
  'docs/monitoring.md',
]

/** Bytes of the file, brackets in it, and lists or keys that begin on one line: a parser that calls itself for each must not fall over. */
export const SCRAPE_LIMITS = { bytes: 16 * 1024, brackets: 200, inARow: 20 } as const

export interface ScrapeJob {
  name: string
  intervalMs: number
  scheme: string
  path: string
  groups: readonly { targets: readonly string[]; labels: Readonly<Record<string, string>> }[]
}

/** What Prometheus takes where nothing is said. */
const DEFAULTS = { intervalMs: 60_000, timeoutMs: 10_000, scheme: 'http', path: '/metrics' } as const

/** Keys at the top that Prometheus has. Only the first two matter here. */
const TOP_KEYS = [
  'global',
  'scrape_configs',
  ...['rule_files', 'scrape_config_files', 'alerting', 'remote_write', 'remote_read', 'storage', 'tracing', 'runtime'],
]
const GLOBAL_KEYS = ['scrape_interval', 'scrape_timeout', 'evaluation_interval', 'external_labels', 'query_log_file']
/** Those that may be there and change nothing about what is asked here. */
const SWITCHES = ['honor_labels', 'honor_timestamps', 'follow_redirects', 'enable_http2']
const JOB_KEYS = [
  'job_name',
  'scrape_interval',
  'scrape_timeout',
  'scheme',
  'metrics_path',
  'static_configs',
  ...SWITCHES,
]
const GROUP_KEYS = ['targets', 'labels']

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/
const DAY_MS = 86_400_000
const UNITS_MS = [365 * DAY_MS, 7 * DAY_MS, DAY_MS, 3_600_000, 60_000, 1000, 1]

type Mapping = Readonly<Record<string, unknown>>

/** The jobs of `text`. Throws a CheckFailure for what Prometheus would not take, and for what this lab has no use for. */
export function parseScrapeConfig(text: string): ScrapeJob[] {
  const top = mappingAt(SCRAPE_FILE, yamlOf(text))
  expectKeys(SCRAPE_FILE, top, TOP_KEYS)
  const global = top.global === undefined || top.global === '' ? {} : mappingAt('global', top.global)
  expectKeys('global', global, GLOBAL_KEYS)
  const interval = durationAt('global.scrape_interval', global.scrape_interval) ?? DEFAULTS.intervalMs
  const timeout = durationAt('global.scrape_timeout', global.scrape_timeout) ?? Math.min(DEFAULTS.timeoutMs, interval)
  expectInTime('global', timeout, interval)
  const jobs = listAt('scrape_configs', top.scrape_configs).map((job, index) =>
    jobOf(`scrape_configs[${index}]`, job, interval, timeout),
  )
  for (const [index, { name }] of jobs.entries()) {
    if (jobs.findIndex(job => job.name === name) < index) {
      fail({ expected: 'another job_name for each job', found: `two jobs with the name "${shown(name)}"` })
    }
  }
  return jobs
}

function yamlOf(text: string): unknown {
  const { bytes, brackets, inARow } = SCRAPE_LIMITS
  const nested = new RegExp(`(?:[-?:]\\s+){${inARow}}`)
  if (Buffer.byteLength(text) > bytes || (text.match(/[[{]/g) ?? []).length > brackets || nested.test(text)) {
    fail({
      expected: `a configuration of a few lines, at most ${bytes} bytes`,
      found: 'something much larger, or deeply nested',
    })
  }
  try {
    // All scalars as text, as Prometheus' keys take them: `true`, `8080` and `5s` alike.
    return parse(text, { schema: 'failsafe', merge: true, logLevel: 'error' })
  } catch (error) {
    const [place] = (error instanceof YAMLParseError && error.linePos) || []
    const why = (error as Error).message.split('\n')[0].replace(/ at line \d+, column \d+:$/, '')
    return fail({
      expected: 'YAML: blanks for indentation, "key: value", and "- " before each entry of a list',
      found: `${SCRAPE_FILE}${place ? `:${place.line}:${place.col}` : ''}: ${printable(why)}`,
    })
  }
}

function jobOf(where: string, value: unknown, globalInterval: number, globalTimeout: number): ScrapeJob {
  const job = mappingAt(where, value)
  if ('targets' in job || 'labels' in job) {
    fail({
      expected: `${where}: targets and labels in an entry of its static_configs`,
      found: `${'targets' in job ? 'targets' : 'labels'} beside the job_name`,
      misconception:
        'A job may find its targets in several ways, so they have a list of their own: targets, and the labels of these targets, belong into static_configs.',
    })
  }
  expectKeys(where, job, JOB_KEYS)
  const name = textAt(`${where}.job_name`, job.job_name) ?? ''
  if (name === '') fail({ expected: `${where}: a job_name`, found: 'a job without a name' })
  for (const key of SWITCHES) {
    const switched = textAt(`${where}.${key}`, job[key])
    if (switched !== undefined && !/^(?:true|false)$/.test(switched)) {
      fail({ expected: `${where}.${key}: true or false`, found: `"${shown(switched)}"` })
    }
  }
  const intervalMs = durationAt(`${where}.scrape_interval`, job.scrape_interval) ?? globalInterval
  expectInTime(
    where,
    durationAt(`${where}.scrape_timeout`, job.scrape_timeout) ?? Math.min(globalTimeout, intervalMs),
    intervalMs,
  )
  const scheme = textAt(`${where}.scheme`, job.scheme) || DEFAULTS.scheme
  if (scheme !== 'http' && scheme !== 'https') {
    fail({ expected: `${where}.scheme: http or https`, found: `"${shown(scheme)}"` })
  }
  const path = textAt(`${where}.metrics_path`, job.metrics_path) || DEFAULTS.path
  const groups = listAt(`${where}.static_configs`, job.static_configs).map((group, index) =>
    groupOf(`${where}.static_configs[${index}]`, group),
  )
  return { name, intervalMs, scheme, path: path.startsWith('/') ? path : `/${path}`, groups }
}

function groupOf(where: string, value: unknown): ScrapeJob['groups'][number] {
  const group = mappingAt(where, value)
  expectKeys(where, group, GROUP_KEYS)
  const targets = listAt(`${where}.targets`, group.targets).map(
    (target, index) => textAt(`${where}.targets[${index}]`, target) ?? '',
  )
  for (const target of targets) expectTarget(target)
  const labels = group.labels === undefined || group.labels === '' ? {} : mappingAt(`${where}.labels`, group.labels)
  const entries = Object.entries(labels).map(([name, label]) => {
    // With two of them, a label is Prometheus' own, and would change what is asked.
    if (!LABEL_NAME.test(name) || name.startsWith('__')) {
      fail({
        expected: 'names of labels from letters, digits and _, with no digit and no __ at the beginning',
        found: `"${shown(name)}"`,
      })
    }
    return [name, textAt(`${where}.labels.${name}`, label) ?? ''] as const
  })
  return { targets, labels: Object.fromEntries(entries) }
}

function expectTarget(target: string): void {
  if (target !== '' && !/[/\s?#@]/.test(target)) return
  fail({
    expected: 'each target to be HOST:PORT',
    found: `the target "${shown(target)}"`,
    ...(target.includes('/') && {
      misconception:
        'A target is no URL. Prometheus makes one of three parts, and scheme and path have keys of their own (scheme, metrics_path), because all targets of a job share them.',
    }),
  })
}

function expectInTime(where: string, timeoutMs: number, intervalMs: number): void {
  if (timeoutMs <= intervalMs) return
  fail({
    expected: `${where}: a scrape_timeout that is not longer than the scrape_interval`,
    found: `scrape_timeout ${timeoutMs / 1000} s, and a scrape each ${intervalMs / 1000} s`,
    misconception: 'One scrape of a target has to be over before the next one begins.',
  })
}

function expectKeys(where: string, mapping: Mapping, known: readonly string[]): void {
  for (const key of Object.keys(mapping)) {
    if (known.includes(key)) continue
    const isOurs = [...TOP_KEYS, ...GLOBAL_KEYS, ...JOB_KEYS, ...GROUP_KEYS].includes(key)
    fail({
      expected: `${where}: nothing but ${known.slice(0, 6).join(', ')}`,
      found: `the key "${shown(key)}"`,
      misconception: isOurs
        ? 'Prometheus knows this key, and expects it elsewhere. In YAML the indentation says to what a key belongs.'
        : 'Prometheus refuses keys that it does not know. Of those that it knows, this task needs no others: no discovery, no relabelling, no files beside this one.',
    })
  }
}

function mappingAt(where: string, value: unknown): Mapping {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Mapping
  return fail({ expected: `${where}: keys with values`, found: kindOf(value) })
}

function listAt(where: string, value: unknown): readonly unknown[] {
  if (Array.isArray(value) && value.length > 0) return value
  return fail({
    expected: `${where}: a list, with "- " before each entry or in [brackets]`,
    found: Array.isArray(value) ? 'an empty list' : kindOf(value),
  })
}

function textAt(where: string, value: unknown): string | undefined {
  if (value === undefined || typeof value === 'string') return value
  return fail({ expected: `${where}: one value`, found: kindOf(value) })
}

/** In ms; undefined: nothing is said. */
function durationAt(where: string, value: unknown): number | undefined {
  const text = textAt(where, value)
  if (text === undefined || text === '') return undefined
  const parts = DURATION.exec(text)
  if (!parts) {
    return fail({
      expected: `${where}: a duration such as 30s or 1m30s`,
      found: `"${shown(text)}"`,
      ...(/^\d+(?:\.\d+)?$/.test(text) && {
        misconception: 'A number alone says nothing: a duration has a unit, such as s, m or ms.',
      }),
    })
  }
  // Of zero, Prometheus says that nothing was said.
  return UNITS_MS.reduce((sum, unit, index) => sum + unit * Number(parts[index + 1] ?? 0), 0) || undefined
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'that it is missing'
  if (value === null || value === '') return 'nothing'
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'keys with values' : `"${shown(String(value))}"`
}

/** What stands in the file, for a terminal: who reads it may be somebody who grades it. */
export function shown(text: string): string {
  return printable(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}

function fail(feedback: Otherwise): never {
  throw new CheckFailure({ read: SCRAPE_READ, ...feedback })
}
