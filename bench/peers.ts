/**
 * `bench peers`: the same packets through our tunnel and through one of connect-ip-go, in turns. No TUN device on either side: packets come
 * from memory and end in a counter, so that only the tunnel is compared.
 */

import { buildGoPrograms, prepareGo } from '../interop/harness/go-programs.ts'
import { type FlowResult, type TunnelBenchOptions, takeTurns } from './tunnel.ts'

export interface PeersBenchResult {
  tunnel: FlowResult
  connectIpGo: FlowResult
  /** Median over the rounds of our packets a second to theirs. */
  ratio: number
  ratios: number[]
  /** The same for packets per second of CPU time. */
  cpuRatio: number
}

/** Rejects with `Unavailable` when there is no Go, or no way to its modules. */
export async function benchPeers(options: TunnelBenchOptions): Promise<PeersBenchResult> {
  await prepareGo()
  await buildGoPrograms()
  const { ours, theirs } = await takeTurns('tunnel', ['connect-ip-go'], options)
  const { flow, ...ratios } = theirs['connect-ip-go']
  return { tunnel: ours, connectIpGo: flow, ...ratios }
}
