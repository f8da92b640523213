/** What your test of task 9 is about. The check puts a sound search here, and then one broken search after the other. */
export { BASE_UDP_PAYLOAD, PathMtuSearch } from '../../../src/quic/path-mtu.ts'
