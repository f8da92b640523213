import type { DriverIo } from '../io.ts'

/** Node's clock and timers. */
export const NODE_IO: DriverIo = {
  now: () => performance.now(),
  setTimer(callback, ms) {
    const timer = setTimeout(callback, ms)
    return () => clearTimeout(timer)
  },
  // Node reads what waits in its sockets before it comes to this.
  soon: callback => void setImmediate(callback),
}
