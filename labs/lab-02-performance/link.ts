/** The links of this lab's measurements: symmetric, each with one or two properties, so that it is clear what a result is due to. */
import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { CLEAN, type Impairment, type Profile } from '../../src/link/profile/profile.ts'
import type { SocketAddress } from '../../src/quic/quic.ts'
import type { CheckContext } from '../kit/lab/types.ts'

export interface LinkOptions {
  /** Of the link alone, both directions together, in ms. */
  rttMs: number
  /** Of the packets from the client to the server, 0 to 1; default none. */
  lossUp?: number
  /** Of those in the other direction. */
  lossDown?: number
  /** In each direction, counted with Ethernet, IP and UDP headers. */
  bitsPerSecond?: number
  /** Packets that may wait in front of that. */
  queuePackets?: number
}

/** Ethernet, IPv4 and UDP headers: what the link counts around a UDP payload. */
export const LINK_OVERHEAD = 14 + 20 + 8

export function linkProfile({
  rttMs,
  lossUp = 0,
  lossDown = 0,
  bitsPerSecond,
  queuePackets = 1000,
}: LinkOptions): Profile {
  const direction = (loss: number): Impairment => ({
    ...CLEAN,
    delayMs: rttMs / 2,
    loss: loss > 0 ? { model: 'random', rate: loss, correlation: 0 } : { model: 'none' },
    ...(bitsPerSecond === undefined
      ? {}
      : { rate: { bitsPerSecond, limit: { packets: queuePackets }, burstBytes: 3000 } }),
  })
  return {
    name: 'lab-02',
    title: 'a link of lab 2',
    about: 'One property at a time.',
    source: 'labs/lab-02-performance/link.ts',
    up: direction(lossUp),
    down: direction(lossDown),
    timeline: [],
  }
}

/** A link to this address, until the check ends. Clients connect to its `address`. */
export async function startLink(
  scope: Pick<CheckContext, 'defer'>,
  options: { to: SocketAddress; seed: string; link: LinkOptions },
): Promise<LinkEmulator> {
  const { to, seed, link } = options
  const emulator = await LinkEmulator.start({ profile: linkProfile(link), seed, to })
  scope.defer(() => emulator.close())
  return emulator
}
