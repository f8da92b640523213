/**
 * Given: there is nothing to do in this file.
 *
 * Received bytes come from someone else, who may be broken or hostile. When they break a rule, throw this error, and no
 * other. A RangeError or TypeError that JavaScript throws by itself is an accident: it shows that a bound was not checked.
 */
export class MalformedError extends Error {
  override name = 'MalformedError'
}
