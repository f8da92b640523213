/**
 * The checks of lab 2: do this, expect that. Each is in a file of its own under `checks/`, loaded when it runs.
 *
 * They go from what is certain to what is measured. Formulas and machines come first, by exact values and in virtual time, with
 * inputs generated from the student's seed: a mistake is found there, within a second or two. What is measured live then shows that
 * the model is one of the real thing; these verdicts are about ratios and counts that a busy machine does not change.
 */
import type { Check } from '../kit/lab/types.ts'

export const checkHandshake: Check = async context => (await import('./checks/handshake.ts')).checkHandshake(context)
export const checkOverhead: Check = async context => (await import('./checks/overhead.ts')).checkOverhead(context)
export const checkSendPacket: Check = async context =>
  (await import('./checks/send-packet.ts')).checkSendPacket(context)
export const checkPump: Check = async context => (await import('./checks/pump.ts')).checkPump(context)
export const checkPathMtu: Check = async context => (await import('./checks/path-mtu.ts')).checkPathMtu(context)
export const checkHistogram: Check = async context => (await import('./checks/histogram.ts')).checkHistogram(context)
export const checkScaling: Check = async context => (await import('./checks/scaling.ts')).checkScaling(context)
export const checkExplain: Check = async context => (await import('./checks/explain.ts')).checkExplain(context)
