/** What MASQUE_QUIC says: the tests of everything above an engine run on either, as `MASQUE_QUIC=typescript npx mocha …` says. */
export const IS_TYPESCRIPT = process.env.MASQUE_QUIC === 'typescript'
