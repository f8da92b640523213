import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { bindUdp } from '../../src/net/udp.ts'

const HOST = '127.0.0.1'
/** Below the ports that systems hand out by themselves: one of those is free for a moment only while other tests ask for any. */
const [FIRST, END] = [20_000, 32_000]

/** A port of 127.0.0.1 on which nothing listens, of UDP or TCP, and which nobody gets who asks for any: for whoever takes it later, or for nobody. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST, END)
    if ((await isFreeOfUdp(port)) && (await isFreeOfTcp(port))) return port
  }
}

async function isFreeOfUdp(port: number): Promise<boolean> {
  const socket = await bindUdp({ host: HOST, port }).catch(() => undefined)
  if (socket === undefined) return false
  await new Promise<void>(resolve => socket.close(resolve))
  return true
}

async function isFreeOfTcp(port: number): Promise<boolean> {
  const server = createServer().listen(port, HOST)
  try {
    await once(server, 'listening')
  } catch {
    return false
  }
  await new Promise(resolve => server.close(resolve))
  return true
}
