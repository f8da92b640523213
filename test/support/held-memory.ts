import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

let collect: (() => void) | undefined

const ROUNDS = 3

/**
 * How many bytes of JavaScript's heap and of its buffers `action` leaves in use, once all that nobody can reach is gone. The least of three rounds:
 * what is leaked is leaked each time, while V8's own memory for compiled code, and what earlier tests have left to finish, come and go.
 */
export async function heldMemory(action: (round: number) => unknown): Promise<number> {
  return Math.min(...(await heldInRounds(action)))
}

/**
 * The same for each round. Whoever wants to know that something is held at all asks for the most of them: it is held each time, but in one of the rounds
 * an earlier test's timer may have let go of more than that.
 */
export async function heldInRounds(action: (round: number) => unknown): Promise<number[]> {
  const held: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = await memoryInUse()
    await action(round)
    held.push((await memoryInUse()) - before)
  }
  return held
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
