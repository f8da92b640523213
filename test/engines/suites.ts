/** What runs over either engine. The folders of the engines themselves are not among it: `npm test` has them, whichever it runs over. */
export const SUITES: readonly string[] = [
  'test/quic/*.test.ts',
  'test/quic/udp/**/*.test.ts',
  'test/carriers/**/*.test.ts',
  'test/client/**/*.test.ts',
  'test/server/**/*.test.ts',
]
