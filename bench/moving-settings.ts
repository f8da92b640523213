/** What `bench moving` measures, and how: of its command line, too. */

/** Of each emulated path. */
export const RTT_MS = 20
/** Between two pings inside the tunnel. */
export const INTERVAL_MS = 10

export const MEASURED = ['move', 'rebind', 'restart', 'blocked'] as const
export type Measured = (typeof MEASURED)[number]
