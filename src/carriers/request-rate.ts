/**
 * Requests on one connection, whatever carries it. A tunnel needs one, and a browser a few; whoever opens streams and resets them at once (rapid reset,
 * CVE-2023-44487), or has us reset them, makes work that the limit on open streams does not count.
 */
export const REQUESTS = { perSecond: 50, burst: 200 }
