/**
 * The alarm clock behind precise-timer.ts: a thread that sleeps to the fraction of a millisecond and then says so.
 *
 * Plain JavaScript, so that the thread starts without a compiler. Shared memory: an Int32 that changes with each new
 * order (negative: the end), and from byte 8 on a Float64, the time to wake up (ms of `process.hrtime`).
 */
import { parentPort, workerData } from 'node:worker_threads'

const order = new Int32Array(workerData, 0, 1)
const wakeAt = new Float64Array(workerData, 8, 1)

function now() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

parentPort.postMessage('ready')
let served = 0
for (;;) {
  const current = Atomics.load(order, 0)
  if (current < 0) break
  const left = wakeAt[0] - now()
  // Sleep until there is a new order.
  if (current === served) Atomics.wait(order, 0, current)
  // Returns early, with something else than 'timed-out', when there is a new order.
  else if (left <= 0 || Atomics.wait(order, 0, current, left) === 'timed-out') {
    served = current
    parentPort.postMessage('wake')
  }
}
parentPort.close()
