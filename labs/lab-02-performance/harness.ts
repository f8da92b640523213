import type { Check } from '../kit/types.ts'

export const checkPathMtu: Check = async context => (await import('./checks/path-mtu.ts')).checkPathMtu(context)
export const checkHistogram: Check = async context => (await import('./checks/histogram.ts')).checkHistogram(context)
export const checkPump: Check = async context => (await import('./checks/pump.ts')).checkPump(context)
export const checkHandshake: Check = async context => (await import('./checks/handshake.ts')).checkHandshake(context)
export const checkOverhead: Check = async context => (await import('./checks/overhead.ts')).checkOverhead(context)
