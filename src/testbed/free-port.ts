import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { bindUdp } from '../net/udp.ts'

/** Between those of well-known servers and those that systems hand out (user-ports.ts). */
const [FIRST, BEYOND] = [15_000, 32_768]
const HOST = '127.0.0.1'

/**
 * A port that is free on UDP and TCP, and that no system gives to whoever asks for any. For who closes what listens there and opens it again, or wants
 * nobody there: one that the system had chosen it may give to somebody else meanwhile.
 */
export async function freePort(): Promise<number> {
  for (let tries = 1; ; tries++) {
    const port = randomInt(FIRST, BEYOND)
    try {
      const udp = await bindUdp({ host: HOST, port })
      const tcp = createServer().listen(port, HOST)
      await once(tcp, 'listening').finally(() => udp.close())
      await new Promise(resolve => tcp.close(resolve))
      return port
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || tries === 100) throw error
    }
  }
}
