/** Time as a host sees it. Tests pass one that stands still until told to move. */
export interface Clock {
  /** Milliseconds, with a fraction, never going back. */
  now(): number
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(handle: unknown): void
}

// Read once: it never changes, and its getter is slow.
const { timeOrigin } = performance

/**
 * The machine's clock: milliseconds since 1970, to the microsecond. Counted from 1970 and not from the start of the process,
 * so that the one-way delays between two processes of one machine mean something.
 */
export const systemClock: Clock = {
  now: () => timeOrigin + performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: handle => clearTimeout(handle as NodeJS.Timeout),
}
