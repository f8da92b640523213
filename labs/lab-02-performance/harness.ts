import type { Check } from '../kit/types.ts'

export const checkPathMtu: Check = async context => (await import('./checks/path-mtu.ts')).checkPathMtu(context)
export const checkHistogram: Check = async context => (await import('./checks/histogram.ts')).checkHistogram(context)
