import { chooseEngine } from '../../src/quic/choose-engine.ts'

/** What MASQUE_QUIC says, or else whether quiche's binary does not load here: the tests of everything above an engine run on either, as `MASQUE_QUIC=typescript npx mocha …` says. */
export const IS_TYPESCRIPT = (await chooseEngine(undefined)).name === 'typescript'
