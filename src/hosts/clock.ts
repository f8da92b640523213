/** Time as a host sees it. Tests pass one that stands still until told to move. */
export interface Clock {
  /** Milliseconds, with a fraction, never going back. */
  now(): number
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(handle: unknown): void
}

const [seconds, nanoseconds] = process.hrtime()
/** Both clocks count the same ticks; only performance.now() counts from the start of the process, and allocates nothing. */
const offset = seconds * 1000 + nanoseconds / 1e6 - performance.now()

/**
 * The machine's monotonic clock: milliseconds since some moment that is the same for all processes (on Linux: the boot).
 *
 * So one-way delays between two processes of one machine mean something, to a few microseconds, and they keep their meaning when
 * somebody sets the time of day or NTP corrects it. Between two machines this clock says nothing.
 */
export const systemClock: Clock = {
  now: () => offset + performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: handle => clearTimeout(handle as NodeJS.Timeout),
}
