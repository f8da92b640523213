import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

/** How many bytes of JavaScript's heap and of its buffers `action` leaves in use, once all that nobody can reach is gone. */
export async function heldMemory(action: () => unknown): Promise<number> {
  const before = await memoryInUse()
  await action()
  return (await memoryInUse()) - before
}

async function memoryInUse(): Promise<number> {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  // Callbacks that wait may be all that refers to something.
  await new Promise(setImmediate)
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
