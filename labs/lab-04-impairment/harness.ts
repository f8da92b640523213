/** The checks of lab 4, by task. */

export { checkAddress } from './checks/address.ts'
export { checkBloat } from './checks/bloat.ts'
export { checkCoDel } from './checks/codel.ts'
export { checkEstimate } from './checks/estimate.ts'
export { checkMetrics } from './checks/metrics.ts'
export { checkMobile } from './checks/mobile.ts'
export { checkOutage } from './checks/outage.ts'
export { checkSweep } from './checks/sweep.ts'
