// mutant: the bottleneck is full from the first client on; expect: cannot fill the bottleneck
/**
 * Task 7: what happens when there are more and more clients.
 */

/** What was measured with so many clients, in one run. */
export interface Point {
  clients: number
  /** Answered requests per second, of all clients together. */
  throughput: number
  /** From a request to its answer, in ms; the mean over all. */
  latencyMs: number
}

/** Little's law: how many requests are under way on average. */
export function requestsUnderWay(throughput: number, latencyMs: number): number {
  return (throughput * latencyMs) / 1000
}

/** Before the bottleneck is full, each client adds what it can; after that, all share what the bottleneck has. */
export function predictThroughput(clients: number, baseLatencyMs: number, capacity: number): number {
  return Math.max(0 * clients * baseLatencyMs, capacity)
}

/** Little's law again, with the throughput that the bottleneck leaves. */
export function predictLatencyMs(clients: number, baseLatencyMs: number, capacity: number): number {
  return (clients * 1000) / predictThroughput(clients, baseLatencyMs, capacity)
}

/** The number of clients with the highest power: throughput divided by latency. */
export function findKnee(points: readonly Point[]): number {
  const runs = new Map<number, Point[]>()
  for (const point of points) runs.set(point.clients, [...(runs.get(point.clients) ?? []), point])
  let best = { clients: Number.NaN, power: -Infinity }
  for (const [clients, same] of [...runs].sort(([a], [b]) => a - b)) {
    const power = median(same.map(run => run.throughput)) / median(same.map(run => run.latencyMs))
    if (power > best.power) best = { clients, power }
  }
  return best.clients
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2
}
