/**
 * An experiment: a question, a matrix of parameters, probes to run in each of its cells, and how often.
 *
 * One TOML file an experiment. docs/experiments.md explains it; the schema below documents every key.
 */

import { createHash } from 'node:crypto'
import { basename, dirname, resolve } from 'node:path'
import { z } from 'zod'
import { ConfigError, failOnProblems, type KeyProblem } from '../config/config-error.ts'
import { choice, flag, table, tables, text } from '../config/fields.ts'
import { readRegularFile } from '../config/read-file.ts'
import { parseToml, readConfigFile } from '../config/read-toml.ts'
import type { CongestionControl } from '../config/sections.ts'
import type { Profile } from '../link/profile/profile.ts'
import type { ControllerFile, ControlName } from '../testbed/orders.ts'
import { isControllerFile } from '../testbed/own-controller.ts'
import { CONDITIONS } from './conditions.ts'
import { allCells, type Cell, matches } from './matrix.ts'
import {
  controlsOf,
  PARAMETER_NAMES,
  PARAMETERS,
  type ParameterName,
  type ParameterValue,
  parameterSpec,
} from './parameters.ts'
import { measureOf, PROBE_NAMES, type ProbeName, type ProbeOptions, probe } from './probes.ts'

const FIGURE_KINDS = ['line', 'bars', 'cdf'] as const

export interface FigureRequest {
  kind: (typeof FIGURE_KINDS)[number]
  /** `ping.rtt_p95_ms`; for `cdf` the name of a sample: `ping.rtt_ms`. */
  measure: string
  x?: string
  series?: string
  title?: string
  log: boolean
}

export interface ExperimentDefinition {
  /** The file's name without `.toml`, and `-quick` behind it for the quick variant. */
  name: string
  file: string
  title: string
  question: string
  about: string
  /** Of one probe (or of all, when they run together), in ms. */
  durationMs: number
  /** Traffic that is not measured, before the probes, in ms. */
  warmUpMs: number
  /** All probes at the same time, on one link? Else one after the other. */
  together: boolean
  seeds: readonly string[]
  /** Values of each parameter, one or more; defaults are filled in. */
  parameters: Readonly<Record<string, readonly ParameterValue[]>>
  exclude: readonly Readonly<Record<string, readonly ParameterValue[]>>[]
  /** In the order in which they run. */
  probes: readonly { name: ProbeName; options: ProbeOptions }[]
  figures: readonly FigureRequest[]
  /** Files with a congestion control of one's own, and the hash of each. */
  controllers: Readonly<Record<string, string>>
  /** Of the matrix, without the excluded ones. */
  cells: readonly Cell[]
}

const seconds = (minimum: number) => {
  const error = `seconds from ${minimum} to 86400`
  return z.number({ error }).min(minimum, { error }).max(86_400, { error })
}

const SEEDS = 'a number of runs from 1 to 10000, or a list of different seeds (whole numbers or texts)'
const seeds = z.union(
  [
    z.int({ error: SEEDS }).min(1, { error: SEEDS }).max(10_000, { error: SEEDS }),
    z
      .array(z.union([z.int(), z.string().min(1)], { error: SEEDS }), { error: SEEDS })
      .min(1, { error: SEEDS })
      .refine(list => new Set(list.map(String)).size === list.length, { error: SEEDS }),
  ],
  { error: SEEDS },
)

const parameterLists = table(
  Object.fromEntries(
    PARAMETER_NAMES.map(name => {
      const { field, about } = PARAMETERS[name]
      const error = `a list of values, each at most once`
      const list = z
        .array(field as z.ZodType<ParameterValue>, { error })
        .min(1, { error })
        .refine(values => new Set(values).size === values.length, { error })
      return [name, list.optional().describe(about)]
    }),
  ) as Record<ParameterName, z.ZodOptional<z.ZodArray<z.ZodType<ParameterValue>>>>,
)

const scalar = z.union([z.string(), z.number()])
const excludeRow = table(
  Object.fromEntries(
    PARAMETER_NAMES.map(name => [
      name,
      z.union([scalar, z.array(scalar).min(1)], { error: 'a value, or a list of values' }).optional(),
    ]),
  ),
)

const experimentSchema = table({
  title: text('a title of one line, at most 100 characters', /^.{1,100}$/).describe('What the report is called.'),
  question: text('a question').describe('What the experiment asks. Write it before the first run.'),
  about: text('a text').default('').describe('What is expected and why, and what the reader should know.'),
  seeds: seeds
    .default(5)
    .describe(`How often each cell of the matrix is run: ${SEEDS}. A seed fixes the link's random decisions.`),
  duration_s: seconds(0.5).default(10).describe('How long each probe measures (s).'),
  warm_up_s: seconds(0).default(1).describe('Pings before the measurement that do not count (s).'),
  together: flag().default(false).describe('All probes at once, so that one disturbs the other; else in turn.'),
  parameters: parameterLists.prefault({}).describe('The matrix: every combination of these values is one cell.'),
  exclude: z.array(excludeRow, { error: 'a list of tables' }).default([]).describe('Cells that are left out.'),
  probe: table(
    Object.fromEntries(PROBE_NAMES.map(name => [name, probe(name).options.optional()])) as Record<
      ProbeName,
      z.ZodOptional<z.ZodType<ProbeOptions>>
    >,
  ).describe('What is measured: a table [probe.NAME] for each probe, with its options.'),
  figure: tables({
    kind: choice(FIGURE_KINDS).describe('line (over a number), bars (over anything), cdf (of a sample).'),
    measure: text('the name of a measure, such as ping.rtt_p95_ms').describe('What is drawn.'),
    x: choice(PARAMETER_NAMES as [string, ...string[]])
      .optional()
      .describe('The parameter along the x axis.'),
    series: choice(PARAMETER_NAMES as [string, ...string[]])
      .optional()
      .describe('A line or bar for each of its values.'),
    title: text('a title').optional(),
    log: flag().default(false).describe('A logarithmic axis for the measure?'),
  })
    .default([])
    .describe('Figures. Default: one for each important measure of the probes.'),
  quick: table({
    seeds: seeds.optional(),
    duration_s: seconds(0.5).optional(),
    warm_up_s: seconds(0).optional(),
    parameters: parameterLists.optional(),
  })
    .optional()
    .describe('What --quick changes: a small version that shows in a minute that everything works.'),
})

export interface DefinitionOptions {
  quick?: boolean
  /** In the place of the file's. */
  seeds?: number
  /** Reads a profile; throws ConfigError when there is none of this name. */
  loadProfile: (nameOrFile: string) => Profile
}

/** Reads and checks an experiment file. Throws ConfigError that names file, key, value found and what is allowed. */
export function loadExperiment(file: string, options: DefinitionOptions): ExperimentDefinition {
  return parseExperiment(readConfigFile(file), file, options)
}

export function parseExperiment(toml: string, file: string, options: DefinitionOptions): ExperimentDefinition {
  const parsed = parseToml(experimentSchema, toml, file)
  const quick = options.quick === true ? (parsed.quick ?? {}) : {}
  const chosen = { ...parsed, ...definedOf(quick) }
  const varied: Record<string, readonly ParameterValue[]> = { ...parsed.parameters, ...quick.parameters }
  const parameters: Record<string, readonly ParameterValue[]> = {}
  for (const name of PARAMETER_NAMES) {
    const byDefault = parameterSpec(name).default
    const values = varied[name] ?? (byDefault === undefined ? undefined : [byDefault])
    if (values !== undefined) parameters[name] = values
  }
  const problems: KeyProblem[] = []
  problems.push(...profileProblems(parameters.profile as string[], file, options))
  const controllers = controllersOf(parameters, file, problems)
  const exclude = parsed.exclude.map(row => listsOf(row as Record<string, unknown>))
  if (options.quick !== true) problems.push(...excludeProblems(exclude, parameters))
  const probes = PROBE_NAMES.flatMap(name => {
    const given = parsed.probe[name]
    return given === undefined ? [] : [{ name, options: given }]
  })
  if (probes.length === 0) {
    problems.push({
      key: 'probe',
      message: `none is given; expected one at least: ${PROBE_NAMES.map(name => `[probe.${name}]`).join(', ')}`,
    })
  }
  problems.push(
    ...figureProblems(
      parsed.figure,
      probes.map(probe => probe.name),
      parameters,
    ),
  )
  failOnProblems(file, problems)
  const cells = allCells(parameters, exclude)
  if (cells.length === 0) {
    throw new ConfigError(file, [`${file}: exclude: every cell of the matrix is excluded; expected one to be left`])
  }
  return {
    name: basename(file).replace(/\.toml$/, '') + (options.quick === true ? '-quick' : ''),
    file,
    title: parsed.title,
    question: parsed.question,
    about: parsed.about,
    durationMs: chosen.duration_s * 1000,
    warmUpMs: chosen.warm_up_s * 1000,
    together: parsed.together,
    seeds: seedList(options.seeds ?? chosen.seeds),
    parameters,
    exclude,
    probes,
    figures: parsed.figure,
    controllers,
    cells,
  }
}

/**
 * What two runs must have in common for their numbers to be comparable. Not in it: the matrix and the seeds, which only
 * say how many runs there are, and title, question and figures.
 */
export function measuringPart(definition: ExperimentDefinition) {
  const { durationMs, warmUpMs, together, probes, controllers } = definition
  const hasOwn = Object.keys(controllers).length > 0
  return { durationMs, warmUpMs, together, probes, ...(hasOwn && { controllers }) }
}

/** A short name for `measuringPart`: 8 hexadecimal digits. */
export function definitionHash(definition: ExperimentDefinition): string {
  return shortHash(JSON.stringify(measuringPart(definition)))
}

function shortHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 8)
}

function seedList(given: number | readonly (number | string)[]): string[] {
  return typeof given === 'number' ? Array.from({ length: given }, (_, i) => String(i + 1)) : given.map(String)
}

function definedOf<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<T>
}

function listsOf(row: Record<string, unknown>): Record<string, readonly ParameterValue[]> {
  return Object.fromEntries(
    Object.entries(definedOf(row)).map(([name, value]) => [
      name,
      (Array.isArray(value) ? value : [value]) as ParameterValue[],
    ]),
  )
}

/** What to load for a value of the parameter `profile`: files are relative to the experiment's own. */
export function profilePath(experimentFile: string, profile: string): string {
  return profile.endsWith('.toml') ? resolve(dirname(experimentFile), profile) : profile
}

/** What a name in `congestion_control` stands for: files are relative to the experiment's own. */
export function controlPath(experimentFile: string, name: string): ControlName {
  return isControllerFile(name)
    ? (resolve(dirname(experimentFile), name) as ControllerFile)
    : (name as CongestionControl)
}

function controllersOf(
  parameters: Record<string, readonly ParameterValue[]>,
  file: string,
  problems: KeyProblem[],
): Record<string, string> {
  const { congestion_control: controls = [], engine = [] } = parameters
  const found: Record<string, string> = {}
  for (const [i, value] of controls.entries()) {
    for (const name of controlsOf(value).filter(isControllerFile)) {
      try {
        found[name] = shortHash(readRegularFile(controlPath(file, name)))
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        problems.push({ key: `parameters.congestion_control[${i}]`, message: `found "${name}": ${why}` })
      }
      if (engine.length === 1 && engine[0] === 'typescript') continue
      problems.push({
        key: 'parameters.engine',
        message: `found ${JSON.stringify(engine)}, expected ["typescript"]: a congestion control of your own (${name}) runs on no other`,
      })
    }
  }
  return found
}

/** A profile that cannot be read is found now, not after an hour. */
function profileProblems(profiles: readonly string[], file: string, options: DefinitionOptions): KeyProblem[] {
  return profiles.flatMap((profile, i) => {
    try {
      options.loadProfile(profilePath(file, profile))
      return []
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      return [{ key: `parameters.profile[${i}]`, message: `found "${profile}": ${error.message}` }]
    }
  })
}

function excludeProblems(
  exclude: ExperimentDefinition['exclude'],
  parameters: ExperimentDefinition['parameters'],
): KeyProblem[] {
  const cells = allCells(parameters, [])
  return exclude.flatMap((row, i) =>
    cells.some(cell => matches(cell, row))
      ? []
      : [{ key: `exclude[${i}]`, message: `found ${JSON.stringify(row)}, which no cell of the matrix matches` }],
  )
}

function figureProblems(
  figures: readonly FigureRequest[],
  probes: readonly ProbeName[],
  parameters: ExperimentDefinition['parameters'],
): KeyProblem[] {
  const measures = probes.flatMap(name => probe(name).measures.map(measure => `${name}.${measure.name}`))
  for (const { name } of CONDITIONS) measures.push(`conditions.${name}`)
  const samples = probes.flatMap(name => probe(name).samples.map(sample => `${name}.${sample.name}`))
  return figures.flatMap(({ kind, measure, x, series }, i) => {
    const problems: KeyProblem[] = []
    const allowed = kind === 'cdf' ? samples : measures
    if (!allowed.includes(measure)) {
      const what = kind === 'cdf' ? 'a sample' : 'a measure'
      problems.push({
        key: `figure[${i}].measure`,
        message: `found "${measure}", expected ${what} of this experiment's probes: ${allowed.join(', ')}`,
      })
    }
    for (const [key, name] of Object.entries({ x, series })) {
      if (name === undefined || parameters[name] !== undefined) continue
      problems.push({ key: `figure[${i}].${key}`, message: `found "${name}", which is not among [parameters]` })
    }
    return problems
  })
}

/** How a column of the results reads: title and unit of `ping.rtt_p95_ms`. */
export function describeMeasure(name: string): { title: string; unit: string } {
  const condition = CONDITIONS.find(measure => `conditions.${measure.name}` === name)
  return measureOf(name) ?? condition ?? { title: name, unit: '' }
}
