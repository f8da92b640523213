/**
 * A trace that is recorded: numbered datagrams through the link emulator, and which of them arrived.
 *
 * The emulator runs in this process, and a group of datagrams is sent only when the one before has arrived or is counted as lost.
 * So no socket buffer ever overflows, however busy the machine is: what is missing was lost by the link and by nothing else.
 */
import type { Socket } from 'node:dgram'
import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { CLEAN, type Profile } from '../../src/link/profile/profile.ts'
import { bindUdp, LOOPBACK } from '../../src/net/udp.ts'
import type { CheckContext } from '../kit/lab/types.ts'

/** Datagrams that are under way at once: far fewer than any socket buffer holds. */
const GROUP = 64
/** For datagrams to come out of a socket that is on the same machine; a busy machine may take long. */
const PATIENCE_MS = 20_000

export interface GilbertElliott {
  p: number
  r: number
  oneMinusH: number
}

/** 1: lost; 0: arrived. Rejects when the emulator says that something else than its loss model took a datagram. */
export async function recordTrace(
  link: GilbertElliott,
  packets: number,
  context: Pick<CheckContext, 'seed' | 'signal' | 'defer' | 'progress'>,
): Promise<Uint8Array> {
  const receiver = await boundSocket(context)
  const sender = await boundSocket(context)
  const emulator = await LinkEmulator.start({ profile: profileOf(link), seed: context.seed, to: addressOf(receiver) })
  context.defer(() => emulator.close())

  const trace = new Uint8Array(packets).fill(1)
  let arrived = 0
  receiver.on('message', message => {
    trace[message.readUInt32BE(0)] = 0
    arrived++
  })
  const { host, port } = emulator.address
  for (let sent = 0; sent < packets; ) {
    context.signal.throwIfAborted()
    const end = Math.min(packets, sent + GROUP)
    for (; sent < end; sent++) {
      const datagram = Buffer.alloc(4)
      datagram.writeUInt32BE(sent)
      sender.send(datagram, port, host)
    }
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const { up } = emulator.counters()
      if (up[0].offered >= sent && arrived >= sent - up[0].lost) break
      if (performance.now() > deadline) {
        throw new Error(`of ${sent} datagrams the link lost ${up[0].lost}, and only ${arrived} arrived`)
      }
      await new Promise(resolve => setImmediate(resolve))
    }
    context.progress(sent, packets, 'packets through the emulator')
  }
  return trace
}

function profileOf({ p, r, oneMinusH }: GilbertElliott): Profile {
  return {
    name: 'lab-4-trace',
    title: 'a link with bursts of losses',
    about: '',
    source: 'labs/lab-04-impairment/record-trace.ts',
    up: { ...CLEAN, loss: { model: 'gemodel', p, r, oneMinusH, oneMinusK: 0 } },
    down: CLEAN,
    timeline: [],
  }
}

async function boundSocket(context: Pick<CheckContext, 'defer'>): Promise<Socket> {
  const socket = await bindUdp(LOOPBACK)
  context.defer(() => socket.close())
  return socket
}

function addressOf(socket: Socket): { host: string; port: number } {
  const { address, port } = socket.address()
  return { host: address, port }
}
