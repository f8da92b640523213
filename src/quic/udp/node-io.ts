import type { DriverIo } from '../io.ts'

/** Node's clock and timers. */
export const NODE_IO: DriverIo = {
  now: () => performance.now(),
  /**
   * What waits in the sockets is read first: a process that had to wait finds that and timers at once, and Node looks at timers first. Two turns of the
   * loop, because sockets in batches are read in an immediate of the first (../../net/readiness.ts).
   */
  setTimer(callback, ms) {
    let immediate: NodeJS.Immediate | undefined
    const timer = setTimeout(() => {
      immediate = setImmediate(() => {
        immediate = setImmediate(callback)
      })
    }, ms)
    return () => {
      clearTimeout(timer)
      clearImmediate(immediate)
    }
  },
  // Node reads what waits in its sockets before it comes to this.
  soon: callback => void setImmediate(callback),
}
