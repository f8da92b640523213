/**
 * Task 7: what happens when there are more and more clients.
 *
 * Each client sends a request, waits for its answer, and sends the next one at once. Somewhere on the way there is a bottleneck, which
 * handles `capacity` requests per second and lets the others wait in a queue.
 *
 *   throughput                                    latency
 *        |          ________________  capacity        |                  /
 *        |        /                                   |                /
 *        |      /                                     |              /
 *        |    /                                       |            /
 *        |  /                                         |__________/            base latency
 *        +---------+-----------------> clients        +---------+-----------------> clients
 *                knee                                         knee
 */

/** What was measured with so many clients, in one run. */
export interface Point {
  clients: number
  /** Answered requests per second, of all clients together. */
  throughput: number
  /** From a request to its answer, in ms; the mean over all. */
  latencyMs: number
}

/**
 * Little's law: how many requests are under way on average, when so many per second are answered and each takes so long. It holds for
 * every system that loses nothing, whatever is inside.
 */
export function requestsUnderWay(throughput: number, latencyMs: number): number {
  throw new Error('TODO: requestsUnderWay')
}

/**
 * Answered requests per second, of all clients together. `baseLatencyMs`: from a request to its answer when nobody else is there.
 * `capacity`: of the bottleneck, in requests per second. As in the figure: two straight lines.
 */
export function predictThroughput(clients: number, baseLatencyMs: number, capacity: number): number {
  throw new Error('TODO: predictThroughput')
}

/** From a request to its answer, in ms. Little's law says it, once the throughput is known. */
export function predictLatencyMs(clients: number, baseLatencyMs: number, capacity: number): number {
  throw new Error('TODO: predictLatencyMs')
}

/**
 * The knee: the number of clients with the highest **power**, which is throughput divided by latency (Kleinrock). Of several that are
 * equal, the lowest.
 *
 * The points are real measurements. They come in any order; each number of clients was measured several times; and now and then the
 * machine was busy with something else, so that one run of several is far off. A median does not mind that: of the throughputs with one
 * number of clients, and of the latencies. Of an even number of values, the median is the mean of the two in the middle.
 */
export function findKnee(points: readonly Point[]): number {
  throw new Error('TODO: findKnee')
}
