/** Random numbers that are the same on every run with the same seed. */

/** xoshiro128** (Blackman and Vigna, 2018): small, fast, good enough for emulation and test inputs, not for secrets. */
export class Random {
  readonly #state: Uint32Array

  /** Different purposes of one seed share nothing: `new Random(seed, 'up loss')`, `new Random(seed, 'down loss')`. */
  constructor(seed: string, purpose = '') {
    this.#state = words(`${seed}\u0000${purpose}`)
  }

  /** 0 to 2^32 - 1. */
  uint32(): number {
    const s = this.#state
    const result = Math.imul(rotate(Math.imul(s[1], 5), 7), 9) >>> 0
    const t = s[1] << 9
    s[2] ^= s[0]
    s[3] ^= s[1]
    s[1] ^= s[2]
    s[0] ^= s[3]
    s[2] ^= t
    s[3] = rotate(s[3], 11)
    return result
  }

  /** From 0 (included) to 1 (not included), in steps of 2^-32. */
  float(): number {
    return this.uint32() / 2 ** 32
  }
}

function rotate(word: number, by: number): number {
  return ((word << by) | (word >>> (32 - by))) >>> 0
}

/** Four words that depend on every character (FNV-1a, then the finaliser of MurmurHash3). */
function words(text: string): Uint32Array {
  const state = new Uint32Array(4)
  for (let i = 0; i < 4; i++) {
    let hash = (0x811c9dc5 ^ Math.imul(i, 0x9e3779b9)) >>> 0
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    state[i] = hash ^ (hash >>> 16)
  }
  // All zeros is the one state from which the generator never leaves.
  if (state.every(word => word === 0)) state[0] = 1
  return state
}
