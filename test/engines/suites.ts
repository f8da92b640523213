/** What runs over either engine. The folders of the engines themselves are not among it: `npm test` has them, whichever it runs over. */
export const SUITES: readonly string[] = [
  'test/quic/*.test.ts',
  'test/quic/udp/**/*.test.ts',
  'test/carriers/**/*.test.ts',
  'test/client/**/*.test.ts',
  'test/server/**/*.test.ts',
]

/** What runs once more with the ciphers of node:crypto. */
export const CIPHER_SUITES: readonly string[] = [
  'test/quic/typescript/protection/*.test.ts',
  ...['connection', 'hostile-packets', 'interop-quiche', 'key-update', 'suites', 'version-2'].map(
    name => `test/quic/typescript/${name}.test.ts`,
  ),
]
