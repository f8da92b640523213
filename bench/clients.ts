/**
 * `bench clients`: one proxy with 1, 10, 100 and 1000 clients. None may be lost, an idle tunnel must cost little memory, and many tunnels
 * together must carry about as much as one.
 */

import { type LoadOptions, type LoadResult, measureLoad } from './load.ts'

export interface ClientsBenchResult {
  runs: LoadResult[]
  /** Memory of the proxy for each tunnel beyond the first, idle, in bytes: the largest run against the smallest. */
  bytesPerTunnel: number
  /** The same of what it has on the heap and in buffers, without garbage. */
  heldPerTunnel: number
  /** Packets a second of the largest run against the smallest. */
  ratio: number
}

export async function benchClients(
  options: Omit<LoadOptions, 'clients'> & { clients: readonly number[]; onRun?: (run: LoadResult) => void },
): Promise<ClientsBenchResult> {
  const runs: LoadResult[] = []
  for (const clients of options.clients) {
    const run = await measureLoad({ ...options, clients })
    runs.push(run)
    options.onRun?.(run)
  }
  return { runs, ...compareLoads(runs) }
}

/** The run with the most clients against that with the fewest. */
export function compareLoads(runs: readonly LoadResult[]): Omit<ClientsBenchResult, 'runs'> {
  const least = runs.reduce((a, b) => (b.clients < a.clients ? b : a))
  const most = runs.reduce((a, b) => (b.clients > a.clients ? b : a))
  const more = most.clients - least.clients
  const each = (bytes: number): number => (more === 0 ? Number.NaN : bytes / more)
  return {
    bytesPerTunnel: each(most.idleRssBytes - least.idleRssBytes),
    heldPerTunnel: each(most.idleHeldBytes - least.idleHeldBytes),
    ratio: most.pps / least.pps,
  }
}
