import type { Trace } from './profile.ts'

/** Throws ConfigError with FILE:LINE. */
export function parseTrace(text: string, where: { file: string }): Trace {
  throw new Error(`not yet: ${where.file} ${text.length}`)
}

/** What a trace carries from `fromMs` to `toMs` of its (repeated) time, in bit/s. */
export function traceRate(trace: Trace, fromMs: number, toMs: number): number {
  throw new Error(`not yet: ${trace.name} ${fromMs} ${toMs}`)
}
