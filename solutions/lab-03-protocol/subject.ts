/** What your test of task 12 is about. The check puts a sound bucket here, and then one broken bucket after the other. */
export { TokenBucket } from '../../src/ip/token-bucket.ts'
