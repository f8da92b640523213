/** The checks of lab 4, by task. */

export { checkBloat } from './checks/bloat.ts'
export { checkCoDel } from './checks/codel.ts'
export { checkEstimate } from './checks/estimate.ts'
export { checkMetrics } from './checks/metrics.ts'
export { checkOutage } from './checks/outage.ts'
export { checkSweep } from './checks/sweep.ts'
