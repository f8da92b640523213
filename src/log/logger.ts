/** The log: one JSON object a line on standard error, so that standard output stays free for results. */
import { type DestinationStream, type Logger, pino } from 'pino'
import type { LogLevel } from '../config/log-section.ts'
import { printableJson } from '../text/printable.ts'
import { standardErrorLines } from './line-writer.ts'

export type { Logger } from 'pino'

const REDACTED = '[redacted]'

/** A key with a secret in it, at any depth of the finished JSON line. */
const SECRET_KEY = /"(token|sha256|password|authorization|proxy-authorization)":"(?:[^"\\]|\\.)*"/gi

/** A bearer token inside any text, as in a header list or an error message; the words "bearer token" may stay. */
const BEARER = /(\bbearer[ "',:]+)(?!tokens?\b|authentication\b)[A-Za-z0-9\-._~+/]+=*/gi

export interface LoggerOptions {
  level: LogLevel
  /** Where the lines go; standard error if nothing is said. */
  to?: DestinationStream
}

/**
 * A pino logger. Secrets are replaced in the finished line: by the names of the keys they are under, and, for those that slipped into
 * a text, by the word "Bearer" in front of them. Control characters, which JSON leaves as they are from U+007F on, are escaped.
 *
 * Lines are written synchronously: a program that ends, for whatever reason, has written its last words. There is no worker thread.
 * Nobody waits for the reader, either: see `LineWriter`.
 */
export function createLogger({ level, to = standardErrorLines() }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // "info", not 30: the line is read by people, too.
      formatters: { level: label => ({ level: label }) },
      hooks: { streamWrite: finished },
    },
    to,
  )
}

function finished(line: string): string {
  return printableJson(line).replace(SECRET_KEY, `"$1":"${REDACTED}"`).replace(BEARER, `$1${REDACTED}`)
}
