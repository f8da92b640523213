/** The log for people: the JSON lines of logger.ts, laid out by pino-pretty for a terminal. */
import { createRequire } from 'node:module'
import type * as PinoPretty from 'pino-pretty'
import { visible } from '../text/printable.ts'

type Fields = Record<string, unknown>
type Paint = (text: string) => string

/** The longest names of a level and of most components: messages begin in one column. */
const LEVEL_WIDTH = 'error'.length
const COMPONENT_WIDTH = 'packets'.length

/** Each in a colour that can be read on black and on white. Messages have the terminal's own. */
const COLOURS = 'trace:gray,debug:blue,info:green,warn:yellow,error:red,fatal:bgRed,message:reset'

/** Said elsewhere in the line. */
const APART = new Set(['level', 'time', 'msg', 'component', 'err'])

/**
 * Turns a finished JSON line, with its line feed, into one for people: time of day, level, component, message, fields, and below it the stack
 * of an error. What it is made of has come over the network in parts, and all of it is escaped again: only we use colours and
 * begin lines.
 */
export function prettyLines({ colours }: { colours: boolean }): (line: string) => string {
  // Only where it is used: loading it takes longer than many a command.
  const { prettyFactory } = createRequire(import.meta.url)('pino-pretty') as typeof PinoPretty
  const pretty = prettyFactory({
    colorize: colours,
    customColors: COLOURS,
    translateTime: 'SYS:HH:MM:ss.l',
    customPrettifiers: { time: time => String(time) },
    hideObject: true,
    messageFormat: (line, _key, _label, { colors }) => text(line, colors.dim, colors.red),
  })
  return line => {
    try {
      return pretty(JSON.parse(line))
    } catch {
      return line
    }
  }
}

function text(line: Fields, dim: Paint, red: Paint): string {
  const level = String(line.level)
  const component = String(line.component ?? '')
  const fields = Object.entries(line).filter(([key]) => !APART.has(key) && !isSaidByTunnel(key, line))
  // pino-pretty has written a colon behind the level.
  const indent = ' '.repeat(Math.max(0, LEVEL_WIDTH - level.length))
  const message = `${indent}${visible(component).padEnd(COMPONENT_WIDTH)} ${visible(String(line.msg ?? ''))}`
  const rest = fields.map(([key, value]) => dim(`${visible(key)}=${valueText(value)}`)).join(' ')
  const below = errorText(line.err).map(each => `\n    ${red(visible(each))}`)
  return `${message}${rest === '' ? '' : '  '}${rest}${below.join('')}`
}

/** CONNECTION/STREAM names the connection, too, and a terminal has 80 columns. */
function isSaidByTunnel(key: string, { connection, tunnel }: Fields): boolean {
  return key === 'connection' && typeof tunnel === 'string' && tunnel.startsWith(`${connection}/`)
}

function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=,]+$/.test(value)) return visible(value)
  // Times are measured to more places than anybody reads.
  if (typeof value === 'number') return String(Number(value.toFixed(3)))
  if (Array.isArray(value) && value.length > 0 && value.every(each => typeof each !== 'object')) {
    return value.map(valueText).join(',')
  }
  return visible(JSON.stringify(value))
}

/** As pino writes an error: its stack, which begins with its message, and what else it has. */
function errorText(err: unknown): string[] {
  if (typeof err !== 'object' || err === null) return err === undefined ? [] : [String(err)]
  const { type, message, stack, ...more } = err as Fields
  const lines = String(stack ?? `${type}: ${message}`).split('\n')
  return Object.keys(more).length === 0 ? lines : [...lines, JSON.stringify(more)]
}
