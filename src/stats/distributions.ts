/**
 * Tails of distributions, and the values beyond which a tail begins.
 *
 * The special functions are those of Cephes (the library behind scipy.special too), right to nine digits and more however thin the
 * tail. Its inverse of the beta function is not used: it gives up in thin tails, where the decisions of this project are made.
 */

import cephes from 'cephes'

await cephes.compiled

/** P[Z > z] for a standard normal variable. */
export function normalTail(z: number): number {
  return cephes.ndtr(-z)
}

/** The z that a standard normal variable exceeds with probability `tail`: 1.96 for 0.025, 3.72 for 1e-4. 0 < tail < 1. */
export function normalQuantile(tail: number): number {
  if (!(tail > 0 && tail < 1)) throw new RangeError(`normal quantile for a tail of ${tail}; expected between 0 and 1`)
  return -cephes.ndtri(tail)
}

/** P[X ≥ k] for X ~ Binomial(n, p). k and n need not be whole (see the design effect in acceptance.ts). */
export function binomialAtLeast(k: number, n: number, p: number): number {
  if (k <= 0) return 1
  if (k > n) return 0
  return cephes.incbet(k, n - k + 1, p)
}

/** P[X ≤ k] for X ~ Binomial(n, p). */
export function binomialAtMost(k: number, n: number, p: number): number {
  if (k < 0) return 0
  if (k >= n) return 1
  return cephes.incbet(n - k, k + 1, 1 - p)
}

/** P[T > t] for Student's t with this many degrees of freedom, which need not be whole. t ≥ 0. */
export function studentTail(t: number, degreesOfFreedom: number): number {
  return cephes.incbet(degreesOfFreedom / 2, 0.5, degreesOfFreedom / (degreesOfFreedom + t * t)) / 2
}

/** The t that Student's t exceeds with probability `tail`, 0 < tail < 0.5. */
export function studentQuantile(tail: number, degreesOfFreedom: number): number {
  if (!(tail > 0 && tail < 0.5)) throw new RangeError(`Student quantile for a tail of ${tail}; expected 0 to 0.5`)
  return bisect(0, 1e6, t => studentTail(t, degreesOfFreedom) > tail)
}

/** P[X > x] for X of the chi-square distribution with this many degrees of freedom. */
export function chiSquareTail(x: number, degreesOfFreedom: number): number {
  if (!(degreesOfFreedom > 0)) throw new RangeError(`${degreesOfFreedom} degrees of freedom; expected more than 0`)
  return x <= 0 ? 1 : cephes.igamc(degreesOfFreedom / 2, x / 2)
}

/** The logarithm of "n over k", the number of ways to choose k of n. */
export function logChoose(n: number, k: number): number {
  return cephes.lgam(n + 1) - cephes.lgam(k + 1) - cephes.lgam(n - k + 1)
}

/** Where `isBelow` turns from true to false, to the last bit that matters. */
export function bisect(low: number, high: number, isBelow: (x: number) => boolean): number {
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2
    if (middle === low || middle === high) break
    if (isBelow(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
}
