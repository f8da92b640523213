/** The library quiche itself, for tests that are about it; its binary does not load on every machine. */

type Quiche = typeof import('@matrixai/quic/native/index.js')['quiche']

/** undefined: it does not load here. */
export const quiche: Quiche | undefined = await import('@matrixai/quic/native/index.js').then(
  library => library.quiche,
  () => undefined,
)

/** For `before`: all that follows is about quiche. */
export function skipWithoutQuiche(this: Mocha.Context): void {
  if (quiche !== undefined) return
  console.log('      skipped: the binary of quiche does not load here')
  this.skip()
}
