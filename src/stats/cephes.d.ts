/** What is used of the package `cephes`, whose own types TypeScript does not find beside its ES module. */
declare module 'cephes' {
  const cephes: {
    /** Resolves when the functions can be called. They throw RangeError for arguments outside of their domain. */
    compiled: Promise<void>
    /** The standard normal distribution function, and its inverse (0 < p < 1). */
    ndtr(x: number): number
    ndtri(p: number): number
    /** The regularised incomplete beta function I_x(a, b); a, b > 0, 0 ≤ x ≤ 1. */
    incbet(a: number, b: number, x: number): number
    /** The upper regularised incomplete gamma function Q(a, x); a > 0, x ≥ 0. */
    igamc(a: number, x: number): number
    /** ln Γ(x) */
    lgam(x: number): number
  }
  export default cephes
}
