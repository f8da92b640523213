/**
 * Counts delays in buckets that grow with the delay, so that percentiles of any number of packets fit into a fixed
 * few kilobytes, at a few nanoseconds a packet. (The idea is that of HdrHistogram.)
 *
 * Values up to 127 µs have a bucket each. Above that, every doubling is divided into 64 buckets: a percentile is at most
 * 1/64 (1.6 %) off. Above 2^32 µs (71 minutes) everything shares the last bucket; below 0 the first.
 */
const BUCKETS_PER_DOUBLING_BITS = 6
const BUCKETS_PER_DOUBLING = 1 << BUCKETS_PER_DOUBLING_BITS
const LARGEST = 2 ** 32 - 1
const BUCKETS = (32 - BUCKETS_PER_DOUBLING_BITS + 1) * BUCKETS_PER_DOUBLING

export class DelayHistogram {
  /** Float64 and not Uint32: a counter that wraps after 2^32 packets is eleven hours away, at 100 000 packets/s. */
  readonly #counts = new Float64Array(BUCKETS)
  #total = 0

  /** Counts one delay. A delay that is not a number counts as 0: the caller has checked its input. */
  add(microseconds: number): void {
    this.#counts[bucketOf(microseconds)]++
    this.#total++
  }

  /**
   * The nearest-rank percentile in µs (the middle of its bucket), `fraction` from 0 to 1; undefined when nothing was
   * counted.
   */
  percentile(fraction: number): number | undefined {
    if (this.#total === 0) return undefined
    const rank = Math.max(1, Math.ceil(fraction * this.#total - 1e-9))
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket]
      if (seen >= rank) return middleOf(bucket)
    }
    return LARGEST
  }

  reset(): void {
    this.#counts.fill(0)
    this.#total = 0
  }
}

function bucketOf(microseconds: number): number {
  if (!(microseconds > 0)) return 0
  const value = microseconds >= LARGEST ? LARGEST : microseconds >>> 0
  if (value < BUCKETS_PER_DOUBLING) return value
  // 64…127 is the first doubling, shifted by 0; 128…255 the second, shifted by 1; and so on.
  const shift = 31 - Math.clz32(value) - BUCKETS_PER_DOUBLING_BITS
  return ((shift + 1) << BUCKETS_PER_DOUBLING_BITS) + (value >>> shift) - BUCKETS_PER_DOUBLING
}

function middleOf(bucket: number): number {
  if (bucket < BUCKETS_PER_DOUBLING * 2) return bucket
  const shift = (bucket >> BUCKETS_PER_DOUBLING_BITS) - 1
  const first = (BUCKETS_PER_DOUBLING + (bucket & (BUCKETS_PER_DOUBLING - 1))) * 2 ** shift
  return first + (2 ** shift - 1) / 2
}
