/**
 * The alarm clock behind precise-timer.ts: a thread that sleeps to the fraction of a millisecond and then says so.
 *
 * Plain JavaScript, so that the thread starts without a compiler. Shared memory:
 *
 *     Int32 0      changes with each new order (negative: the end)
 *     Int32 1      1: this thread sleeps deeply, and has to be woken up for a new order
 *     Float64 1    when to ring (ms of `process.hrtime`); may be put off while this thread waits
 *
 * To wake up another thread costs both of them more than anything else here. So after it has rung, this one dozes for a while:
 * it looks for a new order by itself, and nobody has to wake it up while packets come one after the other.
 */
import { parentPort, workerData } from 'node:worker_threads'

/** How long to doze after the alarm rang, and how often to look meanwhile. */
const DOZE_MS = 3
const LOOK_EACH_MS = 0.25

const words = new Int32Array(workerData, 0, 2)
const ringAt = new Float64Array(workerData, 8, 1)

function now() {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}

parentPort.postMessage('ready')
let served = 0
let servedAt = now()
for (;;) {
  const order = Atomics.load(words, 0)
  if (order < 0) break
  if (order !== served) {
    const left = ringAt[0] - now()
    if (left > 0) {
      // Ends early when there is a new order. When time is up, the alarm may have been put off: look again.
      Atomics.wait(words, 0, order, left)
      continue
    }
    served = order
    servedAt = now()
    parentPort.postMessage('ring')
  } else if (now() - servedAt < DOZE_MS) {
    Atomics.wait(words, 0, order, LOOK_EACH_MS)
  } else {
    Atomics.store(words, 1, 1)
    // Returns at once when an order has come just before.
    Atomics.wait(words, 0, order)
    Atomics.store(words, 1, 0)
  }
}
parentPort.close()
