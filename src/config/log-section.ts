/** What is logged, and how much of it: the section [log] of both configurations, and the environment variable that overrides it. */
import { z } from 'zod'
import { choice, table } from './fields.ts'
import { checkValue } from './read-toml.ts'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The parts of both programs that a line of the log can come from. */
const COMPONENTS = {
  proxy: 'The proxy as a whole: start, internal errors, what the log has left out.',
  client: 'The client as a whole: tunnels that come, go and move, reconnects, the choice of the carrier.',
  quic: 'QUIC: sockets, connections over HTTP/3.',
  tcp: 'TCP and TLS: connections over HTTP/2 and HTTP/1.1.',
  webtransport: 'WebTransport: what browsers need, and the npm package.',
  http: 'Requests that are malformed or refused.',
  tunnel: 'CONNECT-IP tunnels: opened, closed.',
  packets: 'IP packets: with debug, each one that is dropped, and why.',
  dns: 'Names that requests are scoped to: with debug, what they stand for.',
  tun: 'The TUN device.',
  api: 'The REST API.',
} as const
export type LogComponent = keyof typeof COMPONENTS
export const LOG_COMPONENTS = Object.keys(COMPONENTS) as LogComponent[]

export type LogLevels = Readonly<Partial<Record<LogComponent, LogLevel>>>

export interface LogOptions {
  level: LogLevel
  /** Of components that are to say more, or less, than the others. */
  levels?: LogLevels
}

const levelOf = (description: string) => choice(LOG_LEVELS).optional().describe(description)
const levels = table(
  Object.fromEntries(LOG_COMPONENTS.map(name => [name, levelOf(COMPONENTS[name])])) as Record<
    LogComponent,
    ReturnType<typeof levelOf>
  >,
)

export const logSection = table({
  level: choice(LOG_LEVELS).default('info').describe('The least severe messages that are logged.'),
  levels: levels
    .optional()
    .describe(
      'The same for single components: quic = "debug". The environment variable MASQUE_LOG overrides both keys.',
    ),
})

const EXPECTED = `a level (${LOG_LEVELS.join(', ')}), and levels of components (quic=debug), with commas in between`
const environment = table({ level: z.enum(LOG_LEVELS, { error: EXPECTED }).optional() })
const format = table({ MASQUE_LOG_FORMAT: choice(['auto', 'pretty', 'json']).optional() })

/**
 * What MASQUE_LOG says takes the place of what the file says: `info,quic=debug`. A level for all of them replaces the file's section as
 * a whole, so that `MASQUE_LOG=silent` is silent; without one, only the components that are named change.
 *
 * Throws ConfigError, also when MASQUE_LOG_FORMAT (log/log-format.ts) is none of those that there are.
 */
export function withLogEnvironment(
  log: LogOptions,
  { MASQUE_LOG, MASQUE_LOG_FORMAT }: Readonly<Record<string, string | undefined>> = process.env,
): LogOptions {
  checkValue(format, { MASQUE_LOG_FORMAT: MASQUE_LOG_FORMAT || undefined }, 'environment')
  const words = (MASQUE_LOG ?? '')
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
  if (words.length === 0) return log
  const [forAll, forOne] = [words.filter(word => !word.includes('=')), words.filter(word => word.includes('='))]
  const { level } = checkValue(environment, forAll.length === 0 ? {} : { level: forAll.join(',') }, 'MASQUE_LOG')
  const named = checkValue(levels, Object.fromEntries(forOne.map(pair)), 'MASQUE_LOG')
  return level === undefined ? { ...log, levels: { ...log.levels, ...named } } : { level, levels: named }
}

function pair(word: string): [name: string, level: string] {
  const [name, ...rest] = word.split('=')
  return [name.trim(), rest.join('=').trim()]
}
