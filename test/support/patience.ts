/**
 * How long tests wait for something that comes when the machine gets around to it, in ms. Only a broken test or program needs all of it, so it is
 * long: a class works on two cores, and time must not decide. Less than mocha's own limit (.mocharc.json), which would not say what was awaited.
 */
export const PATIENCE_MS = Number(process.env.MASQUE_TEST_PATIENCE_MS ?? 150_000)
