import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'

/** Below those that systems choose from: Linux from 32 768 on, others from 49 152 on. */
const FIRST = 20_000
const COUNT = 10_000

/** Test processes that run at the same time begin far from each other. */
let next = (process.pid * 97) % COUNT

/**
 * A UDP port of 127.0.0.1 at which nobody listens, and that the system gives to nobody who asks for any. So it is free still when a socket there was
 * closed, whatever other tests open meanwhile: for another socket in its place, or for nobody.
 */
export async function ownPort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + (next++ % COUNT)
    try {
      const socket = await bindUdp({ ...LOOPBACK, port })
      await new Promise<void>(resolve => socket.close(() => resolve()))
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    }
  }
  throw new Error(`no UDP port from ${FIRST} on is free`)
}
