/** Time as a host sees it. Tests pass one that stands still until told to move. */
export interface Clock {
  /** Milliseconds, with a fraction, never going back. */
  now(): number
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(handle: unknown): void
}

/**
 * Between two clocks that count the same ticks; only performance.now() counts from the start of the process, and allocates nothing. They cannot be
 * read at the same moment: of several tries, the one counts between whose readings the least time has passed.
 */
function offsetOfClocks(): number {
  let [offset, least] = [0, Number.POSITIVE_INFINITY]
  for (let tries = 0; tries < 20; tries++) {
    const before = performance.now()
    const [seconds, nanoseconds] = process.hrtime()
    const passed = performance.now() - before
    if (passed < least) [offset, least] = [seconds * 1000 + nanoseconds / 1e6 - before - passed / 2, passed]
  }
  return offset
}
const offset = offsetOfClocks()

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
