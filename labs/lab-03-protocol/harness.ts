/**
 * The checks of lab 3: do this, expect that. Each is in a file of its own under `checks/`, loaded when it runs.
 *
 * All coding tasks go the same way. Known vectors come first (those of the RFC, where it has some), then inputs generated
 * from the student's seed, then what a hostile peer would send. The student's functions run in a process of their own
 * (`context.student`); `src/` is the reference that their results are compared with.
 */
import type { Check } from '../kit/lab/types.ts'

export const checkVarint: Check = async context => (await import('./checks/varint.ts')).checkVarint(context)
export const checkCapsules: Check = async context => (await import('./checks/capsules.ts')).checkCapsules(context)
export const checkAddresses: Check = async context => (await import('./checks/addresses.ts')).checkAddresses(context)
export const checkRoutes: Check = async context => (await import('./checks/routes.ts')).checkRoutes(context)
export const checkHttp3: Check = async context => (await import('./checks/http3.ts')).checkHttp3(context)
export const checkDatagrams: Check = async context => (await import('./checks/datagrams.ts')).checkDatagrams(context)
export const checkIpv4: Check = async context => (await import('./checks/ipv4.ts')).checkIpv4(context)
export const checkIpv6: Check = async context => (await import('./checks/ipv6.ts')).checkIpv6(context)
export const checkTooBig: Check = async context => (await import('./checks/too-big.ts')).checkTooBig(context)
export const checkLive: Check = async context => (await import('./checks/live.ts')).checkLive(context)
export const checkCapture: Check = async context => (await import('./checks/capture.ts')).checkCapture(context)
