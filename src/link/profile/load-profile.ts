/** Profiles from TOML files. The schemas below are where every key is documented; docs/netem.md is the same for a reader. */
import { readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { z } from 'zod'
import { ConfigError, failOnProblems, type KeyProblem } from '../../config/config-error.ts'
import { choice, integer, table, tables, text } from '../../config/fields.ts'
import { readRegularFile, UnsuitableFileError } from '../../config/read-file.ts'
import { parseToml } from '../../config/read-toml.ts'
import {
  type Attachment,
  CLEAN,
  DIRECTIONS,
  type Direction,
  type Impairment,
  type Levels,
  type Phase,
  type Profile,
  type QueueLimit,
  type Trace,
} from './profile.ts'
import { chance, delay, distribution, jitter, loss, optional, queueLimit, rate, size, time } from './profile-fields.ts'
import { parseTrace } from './trace.ts'

const SHIPPED = fileURLToPath(new URL('../../../netem/profiles/', import.meta.url))
const LONGEST_MS = 3_600_000
const BIGGEST_TRACE_BYTES = 32 * 1024 ** 2
const BIGGEST_PROFILE_BYTES = 1024 ** 2

/** A queue that nobody has given a limit. */
const DEFAULT_LIMIT: QueueLimit = { packets: 100 }
/** Two full frames, so that a bucket never has to overflow between two packets. */
const SMALLEST_DEFAULT_BURST = 3200
/** What the bucket holds by default, in ms of its rate: more than a timer is late. */
const DEFAULT_BURST_MS = 2

/** What is done to the packets of one direction, in the words of tc-netem(8). */
const impairmentSchema = table({
  /** One-way delay: TIME [JITTER [CORRELATION]]. */
  delay: optional(delay()),
  /** JITTER [CORRELATION], around the delay. */
  jitter: optional(jitter()),
  /** How jitter is spread. */
  distribution: optional(distribution()),
  /** Whether jitter may change the order of packets ("free", as netem does it) or not ("keep"). */
  order: optional(choice(['free', 'keep'])),
  loss: optional(loss()),
  /** PERCENT [CORRELATION] of the packets come twice. */
  duplicate: optional(chance()),
  /** PERCENT [CORRELATION] of the packets are sent at once, ahead of delayed ones. */
  reorder: optional(chance()),
  /** Only each gap-th packet can be reordered. */
  gap: optional(integer(1, 100_000, 'a whole number of packets')),
  /** PERCENT [CORRELATION] of the packets have one bit turned over. */
  corrupt: optional(chance()),
  /** The bottleneck, after the delay: bit/s of Ethernet frames. */
  rate: optional(rate()),
  /** What may leave the bottleneck at once. */
  burst: optional(size(1600, 16 * 1024 ** 2, '4kb')),
  /** What the queue in front of the bottleneck holds. */
  limit: optional(queueLimit()),
  /** A file with delivery opportunities in Mahimahi's format, in place of a rate; relative to the profile's folder. */
  trace: optional(text('the path of a trace file, such as "../traces/metro-down.trace"')),
})

type ImpairmentKeys = z.output<typeof impairmentSchema>

const KINDS = ['outage', 'set', 'ramp', 'oscillation', 'nat-rebind', 'handover'] as const

const phaseSchema = table({
  kind: choice(KINDS),
  /** From the beginning of the timeline. */
  at: time(0, LONGEST_MS),
  /** How long. */
  for: optional(time(1, LONGEST_MS)),
  direction: optional(choice(['up', 'down', 'both'])),
  /** Which attachment; of a handover: the new one. */
  attachment: optional(choice(['first', 'second'])),
  /** Of an outage: what does not pass, when something else does. */
  only: optional(choice(['udp'])),
  /** Of an oscillation. */
  period: optional(time(100, LONGEST_MS)),
  /** The other values: any of an impairment for `set`, numbers for `ramp` and `oscillation`. */
  to: impairmentSchema.optional(),
})

type PhaseKeys = z.output<typeof phaseSchema>

const profileSchema = table({
  title: text('a title of one line', /^[^\n]{1,100}$/),
  about: text('a text that says what kind of network this is'),
  source: text('a text that says where the numbers come from'),
  /** What holds in both directions; [up] and [down] say what is different there. */
  both: impairmentSchema.optional(),
  up: impairmentSchema.optional(),
  down: impairmentSchema.optional(),
  /** The other attachment of a client that moves. */
  second: table({
    both: impairmentSchema.optional(),
    up: impairmentSchema.optional(),
    down: impairmentSchema.optional(),
  }).optional(),
  /** The timeline begins again after this time. */
  repeat: optional(time(100, LONGEST_MS)),
  timeline: tables(phaseSchema.shape).max(1000, { error: 'at most 1000 phases' }).default([]),
})

type ProfileKeys = z.output<typeof profileSchema>

const NO_KEYS: ProfileKeys = { title: '', about: '', source: '', timeline: [] }

/** The shipped profiles, in alphabetical order, `loss-2` before `loss-10`. */
export function profileNames(): string[] {
  return readdirSync(SHIPPED)
    .filter(file => file.endsWith('.toml'))
    .map(file => basename(file, '.toml'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}

/** A shipped profile by its name, or a profile file by its path (one that ends in `.toml`). Throws ConfigError. */
export function loadProfile(nameOrFile: string): Profile {
  const names = profileNames()
  const file = names.includes(nameOrFile) ? join(SHIPPED, `${nameOrFile}.toml`) : nameOrFile
  if (!file.endsWith('.toml')) {
    throw new ConfigError(nameOrFile, [
      `${nameOrFile}: there is no such profile; give the path of a profile file (.toml) or one of ${names.join(', ')}`,
    ])
  }
  return parseProfile(readText(file, 'profile', BIGGEST_PROFILE_BYTES), { file })
}

/** Throws ConfigError that names file, key, value found and what is allowed. Traces are read from disk. */
export function parseProfile(toml: string, where: { file: string }): Profile {
  return new ProfileReader(parseToml(profileSchema, toml, where.file), where.file).profile()
}

/** The keys of a direction, as they may be changed on a running link. */
export const IMPAIRMENT_KEYS = Object.keys(impairmentSchema.shape)

/**
 * Another impairment: `before` with some keys as a profile has them, such as `{ delay: '50ms' }`. What they do not mention stays, and
 * the rules are those of a profile. `none` takes a rate or a trace away. Throws ConfigError.
 */
export function changedImpairment(before: Impairment, values: Readonly<Record<string, string>>): Impairment {
  const isNone = (key: string, value: string) => value === 'none' && (key === 'rate' || key === 'trace')
  const all = Object.entries(values)
  const kept = all.filter(([key, value]) => !isNone(key, value))
  const isFreed = kept.length < all.length
  // A gap is a number, everything else a text.
  const line = ([key, value]: [string, string]) =>
    `${key} = ${key === 'gap' && /^[0-9]{1,9}$/.test(value) ? value : JSON.stringify(value)}`
  const keys = parseToml(impairmentSchema, kept.map(line).join('\n'), 'set')
  const { rate: _rate, trace: _trace, ...freed } = before
  return new ProfileReader(NO_KEYS, 'set').change(isFreed ? freed : before, keys)
}

/** One key with the name of the table that it stands in, for messages. */
type Origins = Partial<Record<keyof ImpairmentKeys, string>>

/** A table of keys that has come together from several, the later ones first. */
interface Merged {
  keys: ImpairmentKeys
  origins: Origins
}

class ProfileReader {
  readonly #keys: ProfileKeys
  readonly #file: string
  readonly #problems: KeyProblem[] = []
  readonly #traces = new Map<string, Trace>()

  constructor(keys: ProfileKeys, file: string) {
    this.#keys = keys
    this.#file = file
  }

  profile(): Profile {
    const { title, about, source, second, repeat, timeline } = this.#keys
    const profile: Profile = {
      name: basename(this.#file, '.toml'),
      title: title.trim(),
      about: about.trim(),
      source: source.trim(),
      up: this.#impairment(this.#merged(0, 'up')),
      down: this.#impairment(this.#merged(0, 'down')),
      timeline: timeline.flatMap((phase, index) => this.#phase(phase, `timeline[${index}]`)),
      file: this.#file,
    }
    if (second) {
      profile.second = {
        up: this.#impairment(this.#merged(1, 'up')),
        down: this.#impairment(this.#merged(1, 'down')),
      }
    }
    if (repeat !== undefined) profile.repeatMs = repeat
    failOnProblems(this.#file, unique(this.#problems))
    return profile
  }

  /** Throws ConfigError. */
  change(before: Impairment, over: ImpairmentKeys): Impairment {
    // A trace that has been read has no path any more.
    const stays = over.trace === undefined && over.rate === undefined ? before.trace : undefined
    const { limit, ...rest } = over
    const under = keysOf(before)
    if (before.trace !== undefined && stays === undefined) under.limit = before.trace.limit
    const after = this.#impairment(merge({ keys: under, origins: {} }, stays ? rest : over, 'set'))
    failOnProblems(this.#file, unique(this.#problems))
    const trace = stays && { ...stays, limit: limit ?? stays.limit }
    return { ...after, ...(trace && { trace }), down: before.down }
  }

  #problem(key: string, message: string): void {
    this.#problems.push({ key, message })
  }

  /** [both], then what [up] or [down] changes. */
  #merged(attachment: Attachment, direction: Direction): Merged {
    const tables = attachment === 1 ? this.#keys.second : this.#keys
    const name = attachment === 1 ? 'second.' : ''
    const both = merge({ keys: {}, origins: {} }, tables?.both ?? {}, `${name}both`)
    return merge(both, tables?.[direction] ?? {}, `${name}${direction}`)
  }

  #impairment({ keys, origins }: Merged): Impairment {
    const name = (key: keyof ImpairmentKeys) => `${origins[key]}.${key}`
    if (keys.jitter && keys.delay?.jitterMs !== undefined && origins.jitter === origins.delay) {
      this.#problem(name('jitter'), `found it here and in ${name('delay')}, expected it in one of the two`)
    }
    const spread = keys.jitter ?? { jitterMs: keys.delay?.jitterMs ?? 0, correlation: keys.delay?.correlation ?? 0 }
    const delayMs = keys.delay?.delayMs ?? 0
    const saidJitter = keys.jitter ?? keys.delay?.jitterMs
    if (keys.distribution !== undefined && (keys.delay === undefined || saidJitter === undefined)) {
      this.#problem(name('distribution'), `found "${keys.distribution}", expected a delay and a jitter with it`)
    }
    if (keys.reorder && keys.reorder.rate > 0 && delayMs === 0) {
      this.#problem(
        name('reorder'),
        'found it without delay, expected a delay above 0ms: a packet overtakes delayed ones',
      )
    }
    if (keys.gap !== undefined && !keys.reorder) {
      this.#problem(name('gap'), `found ${keys.gap}, expected a percentage for reorder with it`)
    }
    if (keys.rate !== undefined && keys.trace !== undefined) {
      this.#problem(name('trace'), `found it beside ${name('rate')}, expected one of the two`)
    }
    if (keys.burst !== undefined && keys.rate === undefined) {
      this.#problem(name('burst'), 'found it without rate, expected a rate with it')
    }
    if (keys.limit !== undefined && keys.rate === undefined && keys.trace === undefined) {
      this.#problem(name('limit'), 'found it without rate or trace, expected one of the two with it')
    }
    const reordering = keys.reorder !== undefined && keys.reorder.rate > 0
    const impairment: Impairment = {
      ...CLEAN,
      delayMs,
      jitterMs: spread.jitterMs,
      delayCorrelation: spread.correlation,
      distribution: keys.distribution ?? CLEAN.distribution,
      keepOrder: keys.order === 'keep',
      loss: keys.loss ?? CLEAN.loss,
      duplicate: keys.duplicate ?? CLEAN.duplicate,
      reorder: reordering ? { ...keys.reorder!, gap: keys.gap ?? 1 } : CLEAN.reorder,
      corrupt: keys.corrupt ?? CLEAN.corrupt,
    }
    const limit = keys.limit ?? DEFAULT_LIMIT
    if (keys.rate !== undefined) {
      const burstBytes = keys.burst ?? defaultBurst(keys.rate)
      impairment.rate = { bitsPerSecond: keys.rate, limit, burstBytes }
    }
    if (keys.trace !== undefined) impairment.trace = { ...this.#trace(keys.trace, name('trace')), limit }
    return impairment
  }

  #trace(path: string, key: string): Trace {
    const file = resolve(dirname(this.#file), path)
    let trace = this.#traces.get(file)
    if (trace === undefined) {
      trace = parseTrace(this.#traceText(path, file, key), { file })
      this.#traces.set(file, trace)
    }
    return trace
  }

  #traceText(path: string, file: string, key: string): string {
    try {
      return readText(file, 'trace', BIGGEST_TRACE_BYTES)
    } catch (cause) {
      if (!(cause instanceof ConfigError)) throw cause
      throw new ConfigError(this.#file, [
        `${this.#file}: ${key}: found "${path}", expected a trace file: ${cause.message}`,
      ])
    }
  }

  /** One entry of the timeline. A `set` becomes one phase for each direction of each attachment that it concerns. */
  #phase(keys: PhaseKeys, key: string): Phase[] {
    const { kind, at: atMs, for: durationMs } = keys
    const direction = keys.direction ?? 'both'
    const attachment: Attachment | undefined =
      keys.attachment === undefined ? undefined : keys.attachment === 'second' ? 1 : 0
    this.#checkPhase(keys, key)
    const base = { atMs, direction, ...(attachment !== undefined && { attachment }) }
    switch (kind) {
      case 'nat-rebind':
        return [{ kind: 'address-change', change: 'nat-rebind', to: 0, atMs, durationMs: 0, direction: 'both' }]
      case 'handover':
        return [
          { kind: 'address-change', change: 'handover', to: attachment ?? 1, atMs, durationMs: 0, direction: 'both' },
        ]
      case 'outage':
        return [{ ...base, kind, durationMs: durationMs ?? 0, ...(keys.only === 'udp' && { only: keys.only }) }]
      case 'set':
        return this.#setPhases(keys, key)
      case 'ramp':
        return [{ ...base, kind, durationMs: durationMs ?? 0, to: this.#levels(keys, key) }]
      case 'oscillation': {
        const untilRepeat = (this.#keys.repeat ?? 0) - atMs
        return [
          {
            ...base,
            kind,
            durationMs: durationMs ?? untilRepeat,
            periodMs: keys.period ?? 0,
            to: this.#levels(keys, key),
          },
        ]
      }
    }
  }

  #checkPhase(keys: PhaseKeys, key: string): void {
    const { kind } = keys
    const needs: Record<PhaseKeys['kind'], (keyof PhaseKeys)[]> = {
      outage: ['for'],
      set: ['to'],
      ramp: ['for', 'to'],
      oscillation: this.#keys.repeat === undefined ? ['for', 'period', 'to'] : ['period', 'to'],
      'nat-rebind': [],
      handover: [],
    }
    const allows: Record<PhaseKeys['kind'], (keyof PhaseKeys)[]> = {
      outage: ['for', 'direction', 'attachment', 'only'],
      set: ['for', 'direction', 'attachment', 'to'],
      ramp: ['for', 'direction', 'attachment', 'to'],
      oscillation: ['for', 'direction', 'attachment', 'period', 'to'],
      'nat-rebind': [],
      handover: ['attachment'],
    }
    for (const name of needs[kind]) {
      if (keys[name] === undefined) this.#problem(`${key}.${name}`, `missing, expected it for the kind "${kind}"`)
    }
    for (const name of ['for', 'direction', 'attachment', 'only', 'period', 'to'] as const) {
      if (keys[name] !== undefined && !allows[kind].includes(name)) {
        const others = allows[kind].length > 0 ? `kind, at, ${allows[kind].join(', ')}` : 'kind and at'
        this.#problem(`${key}.${name}`, `found it, expected for the kind "${kind}" only ${others}`)
      }
    }
    if (this.#keys.second === undefined && (kind === 'handover' || keys.attachment === 'second')) {
      this.#problem(
        `${key}.${kind === 'handover' ? 'kind' : 'attachment'}`,
        'found no second attachment, expected tables [second.both], [second.up] or [second.down]',
      )
    }
    const { repeat } = this.#keys
    if (repeat !== undefined && (keys.at >= repeat || keys.at + (keys.for ?? 0) > repeat)) {
      this.#problem(
        `${key}.at`,
        `found a phase that ends after ${repeat} ms, expected it within the time after which the timeline repeats`,
      )
    }
  }

  /** The directions of the attachments that a phase concerns. */
  #places(keys: PhaseKeys): { attachment: Attachment; direction: Direction }[] {
    const attachments: Attachment[] = this.#keys.second ? [0, 1] : [0]
    return attachments
      .filter(attachment => keys.attachment === undefined || (keys.attachment === 'second') === (attachment === 1))
      .flatMap(attachment => DIRECTIONS.map(direction => ({ attachment, direction })))
      .filter(({ direction }) => (keys.direction ?? 'both') === 'both' || keys.direction === direction)
  }

  #setPhases(keys: PhaseKeys, key: string): Phase[] {
    const { at: atMs, for: durationMs = Number.POSITIVE_INFINITY, to = {} } = keys
    if (to.order !== undefined) {
      this.#problem(
        `${key}.to.order`,
        `found "${to.order}", expected it in the tables of a direction: it cannot change on the way`,
      )
    }
    return this.#places(keys).map(({ attachment, direction }) => {
      const whole = this.#impairment(merge(this.#merged(attachment, direction), to, `${key}.to`))
      const change: Record<string, unknown> = {}
      for (const name of Object.keys(to) as (keyof ImpairmentKeys)[]) {
        for (const part of PARTS[name]) change[part] = whole[part]
      }
      return { kind: 'set', atMs, durationMs, attachment, direction, change: change as Partial<Impairment> }
    })
  }

  #levels(keys: PhaseKeys, key: string): Levels {
    const { to = {}, kind } = keys
    const levels: Levels = {}
    for (const name of Object.keys(to) as (keyof ImpairmentKeys)[]) {
      if (!['delay', 'jitter', 'loss', 'rate'].includes(name)) {
        this.#problem(`${key}.to.${name}`, `found it, expected for the kind "${kind}" only delay, jitter, loss, rate`)
      }
    }
    const spread = to.jitter ?? (to.delay?.jitterMs === undefined ? undefined : { jitterMs: to.delay.jitterMs })
    if (to.delay) levels.delayMs = to.delay.delayMs
    if (spread) levels.jitterMs = spread.jitterMs
    const places = this.#places(keys).map(({ attachment, direction }) => this.#merged(attachment, direction).keys)
    if (to.loss) {
      if (to.loss.model === 'none') levels.lossRate = 0
      else if (to.loss.model === 'random') levels.lossRate = to.loss.rate
      const models = [to.loss, ...places.map(place => place.loss)]
      if (models.some(model => model && model.model !== 'random' && model.model !== 'none')) {
        this.#problem(
          `${key}.to.loss`,
          `found another loss model, expected a percentage here and in the profile: only it has values in between`,
        )
      }
    }
    if (to.rate !== undefined) {
      levels.bitsPerSecond = to.rate
      if (places.some(place => place.rate === undefined)) {
        this.#problem(
          `${key}.to.rate`,
          'found a rate, expected the profile to begin with one: from no limit there is no way in small steps',
        )
      }
    }
    return levels
  }
}

/** Which parts of an impairment a key of the file has a say in. */
const PARTS: Record<keyof ImpairmentKeys, (keyof Impairment)[]> = {
  delay: ['delayMs', 'jitterMs', 'delayCorrelation'],
  jitter: ['jitterMs', 'delayCorrelation'],
  distribution: ['distribution'],
  order: ['keepOrder'],
  loss: ['loss'],
  duplicate: ['duplicate'],
  reorder: ['reorder'],
  gap: ['reorder'],
  corrupt: ['corrupt'],
  rate: ['rate', 'trace'],
  burst: ['rate', 'trace'],
  limit: ['rate', 'trace'],
  trace: ['rate', 'trace'],
}

/** The keys that lead to an impairment, but for its trace. */
function keysOf({ rate, trace, ...before }: Impairment): ImpairmentKeys {
  const { jitterMs, delayCorrelation: correlation, reorder } = before
  return {
    delay: { delayMs: before.delayMs, jitterMs, correlation },
    distribution: before.distribution,
    order: before.keepOrder ? 'keep' : 'free',
    loss: before.loss,
    duplicate: before.duplicate,
    corrupt: before.corrupt,
    ...(reorder.rate > 0 && { reorder: { rate: reorder.rate, correlation: reorder.correlation }, gap: reorder.gap }),
    ...(rate && { rate: rate.bitsPerSecond, burst: rate.burstBytes, limit: rate.limit }),
  }
}

/** `over` on top of `under`. What belongs together goes together: a trace replaces a rate, a delay with jitter a jitter. */
function merge(under: Merged, over: ImpairmentKeys, name: string): Merged {
  const keys = { ...under.keys }
  const origins = { ...under.origins }
  const drop = (key: keyof ImpairmentKeys) => {
    delete keys[key]
    delete origins[key]
  }
  if (over.trace !== undefined) {
    drop('rate')
    drop('burst')
  }
  if (over.rate !== undefined) {
    drop('trace')
    drop('burst')
  }
  if (over.delay?.jitterMs !== undefined) drop('jitter')
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue
    Object.assign(keys, { [key]: value })
    origins[key as keyof ImpairmentKeys] = name
  }
  // A delay without jitter keeps the jitter that was said before, unless there is another one beside it.
  if (over.delay && !over.jitter && over.delay.jitterMs === undefined && under.keys.delay?.jitterMs !== undefined) {
    keys.delay = { ...under.keys.delay, delayMs: over.delay.delayMs }
  }
  return { keys, origins }
}

function defaultBurst(bitsPerSecond: number): number {
  return Math.max(SMALLEST_DEFAULT_BURST, Math.ceil((bitsPerSecond / 8000) * DEFAULT_BURST_MS))
}

function unique(problems: KeyProblem[]): KeyProblem[] {
  return [...new Map(problems.map(problem => [`${problem.key} ${problem.message}`, problem])).values()]
}

function readText(file: string, what: string, mostBytes: number): string {
  try {
    return readRegularFile(file, mostBytes).toString('utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (cause instanceof UnsuitableFileError)
      throw new ConfigError(file, [`${file}: ${message}; a ${what} file is expected`], { cause })
    const reason =
      code === 'ENOENT'
        ? `there is no such ${what} file (looked for ${resolve(file)})`
        : `the ${what} file cannot be read: ${message}`
    throw new ConfigError(file, [`${file}: ${reason}`], { cause })
  }
}
