/**
 * Task 3: jitter and reordering. First small sequences whose values can be found by hand, then flows that go over a simulated
 * link (src/link) with jitter, reordering, duplicates and loss. The expected values are those of src/stats.
 */

import { LinkDirection } from '../../../src/link/model/link-direction.ts'
import { CLEAN, type Impairment } from '../../../src/link/profile/profile.ts'
import { ReorderMeter } from '../../../src/stats/reorder.ts'
import { interarrivalJitter } from '../../../src/stats/statistics.ts'
import { type Call, expectCalls, type Misconception, sources } from '../../kit/check/calls.ts'
import { formatNumber, percent } from '../../kit/check/format.ts'
import type { Seeded } from '../../kit/check/seeded.ts'
import type { CheckContext, Feedback, Reading } from '../../kit/lab/types.ts'

const FILE = 'metrics.ts'
const JITTER: Reading[] = ['RFC 3550 §6.4.1, "interarrival jitter"', 'RFC 3550 §A.8']

const REORDERING: Reading[] = ['RFC 4737 §3, §4.2, §4.3', 'labs/lab-04-impairment/README.md, "Late, and out of order"']

const PACKETS = 400
/** One packet in each 10 ms, as a telephone call has them. */
const EVERY_MS = 10

interface Arrival {
  sequence: number
  sentMs: number
  receivedMs: number
}

interface Reordering {
  reordered: number
  ratio: number
  extents: number[]
  lateMs: number[]
}

// Cases ---------------------------------------------------------------------------------------------------------------

interface Flow {
  about: string
  sent: number
  arrivals: Arrival[]
}

function call(about: string, expected: (arrivals: Arrival[]) => unknown, arrivals: Arrival[], because?: string): Call {
  return {
    about,
    args: [arrivals],
    shown: sequenceOf(arrivals),
    returns: expected(arrivals),
    ...(because ? { because } : {}),
  }
}

function countsCall(about: string, sent: number, arrivals: Arrival[]): Call {
  return { about, args: [sent, arrivals], shown: `${sent}, ${sequenceOf(arrivals)}`, returns: countsOf(sent, arrivals) }
}

/** The numbers in the order of arrival; of a long flow the beginning. */
function sequenceOf(arrivals: readonly Arrival[]): string {
  if (arrivals.length === 0) return '[]'
  const first = arrivals.slice(0, 16).map(({ sequence }) => sequence)
  return `the arrivals ${first.join(' ')}${arrivals.length > first.length ? ` … (${arrivals.length})` : ''}`
}

/** These numbers, one arrival in each 10 ms. */
function inOrderOfArrival(...sequences: number[]): Arrival[] {
  return sequences.map((sequence, i) => ({ sequence, sentMs: sequence * EVERY_MS, receivedMs: 50 + i * EVERY_MS }))
}

function makeFlows(seed: string, random: Seeded): Flow[] {
  const delays = { delayMs: random.int(20, 80), jitterMs: random.int(4, 9), distribution: 'normal' as const }
  return [
    { about: 'a link with jitter', change: delays },
    {
      about: 'a link with jitter larger than the distance of packets',
      change: { ...delays, jitterMs: random.int(12, 19) },
    },
    {
      about: 'a link with losses',
      change: { ...delays, loss: { model: 'random', rate: 0.1, correlation: 0 } as const },
    },
    {
      about: 'a link that does everything at once',
      change: {
        ...delays,
        jitterMs: random.int(8, 15),
        loss: { model: 'random', rate: 0.05, correlation: 0 } as const,
        duplicate: { rate: 0.05, correlation: 0 },
        reorder: { rate: 0.1, correlation: 0, gap: 1 },
      },
    },
  ].map(({ about, change }, i) => ({
    about,
    sent: PACKETS,
    arrivals: overLink({ ...CLEAN, ...change }, `${seed} ${i}`),
  }))
}

/** A flow over a link, in virtual time. */
function overLink(impairment: Impairment, seed: string): Arrival[] {
  const link = new LinkDirection(impairment, { seed, purpose: 'metrics' })
  const arrivals: Arrival[] = []
  const deliver = (_: Uint8Array, sequence: number, receivedMs: number) =>
    void arrivals.push({ sequence, sentMs: sequence * EVERY_MS, receivedMs })
  for (let sequence = 0; sequence < PACKETS; sequence++) {
    const nowMs = sequence * EVERY_MS
    link.release(nowMs, deliver)
    link.enqueue(new Uint8Array(100), sequence, nowMs)
  }
  link.release(Number.MAX_SAFE_INTEGER, deliver)
  return arrivals
}

// Reference -----------------------------------------------------------------------------------------------------------

function firstCopies(arrivals: readonly Arrival[]): Arrival[] {
  const seen = new Set<number>()
  return arrivals.filter(({ sequence }) => !seen.has(sequence) && seen.add(sequence))
}

function countsOf(sent: number, arrivals: readonly Arrival[]) {
  const received = firstCopies(arrivals).length
  return { received, lost: sent - received, duplicates: arrivals.length - received }
}

function jitterOf(arrivals: readonly Arrival[]): number {
  return interarrivalJitter(firstCopies(arrivals).map(transit))
}

function reorderingOf(arrivals: readonly Arrival[]): Reordering {
  const meter = new ReorderMeter()
  for (const { sequence, receivedMs } of arrivals) meter.arrive(sequence, receivedMs)
  const { reordered, ratio } = meter.summary()
  const { extents, lateMs } = metricsOf(firstCopies(arrivals))
  return { reordered, ratio, extents, lateMs }
}

/** Of all that is given, further copies included. */
function metricsOf(packets: readonly Arrival[], reordered = reorderedIndexes(packets)): Reordering {
  const overtakers = reordered.map(i => packets.findIndex(other => other.sequence > packets[i].sequence))
  return {
    reordered: reordered.length,
    ratio: packets.length === 0 ? 0 : reordered.length / packets.length,
    extents: reordered.map((i, at) => i - overtakers[at]),
    lateMs: reordered.map((i, at) => packets[i].receivedMs - (packets[overtakers[at]]?.receivedMs ?? 0)),
  }
}

function reorderedIndexes(packets: readonly Arrival[]): number[] {
  let nextExpected = 0
  return packets.flatMap(({ sequence }, i) => {
    if (sequence < nextExpected) return [i]
    nextExpected = sequence + 1
    return []
  })
}

function highestBefore(packets: readonly Arrival[], end: number): number {
  return packets.slice(0, end).reduce((most, { sequence }) => Math.max(most, sequence), 0)
}

function transit({ sentMs, receivedMs }: Arrival): number {
  return receivedMs - sentMs
}

function smooth(times: readonly number[], weight = 16, from = 0): number {
  let result = from
  for (let i = 1; i < times.length; i++) result += (Math.abs(times[i] - times[i - 1]) - result) / weight
  return result
}

function variant(arrivals: readonly Arrival[], extent: (packets: Arrival[], i: number) => number): Reordering {
  const packets = firstCopies(arrivals)
  return { ...reorderingOf(arrivals), extents: reorderedIndexes(packets).map(i => extent(packets, i)) }
}

// Judgement -----------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const [everybodys, random] = sources(context, 'metrics')
  const flows = [...makeFlows('everybody', everybodys), ...makeFlows(context.seed, random)]
  const copies =
    'Of a packet that arrives more than once, only the first copy counts: further ones are no packets of the flow.'

  await expectCalls(context, {
    text: 'firstCopies() leaves out duplicates',
    file: FILE,
    name: 'firstCopies',
    calls: [
      call('a copy right behind', firstCopies, inOrderOfArrival(0, 1, 1, 2), copies),
      call('a copy much later', firstCopies, inOrderOfArrival(0, 1, 2, 3, 0, 4), copies),
      call('nothing arrived', firstCopies, []),
      ...flows.map(({ about, arrivals }) => call(about, firstCopies, arrivals, copies)),
    ],
    read: REORDERING,
  })
  await expectCalls(context, {
    text: 'counts() says what became of every packet',
    file: FILE,
    name: 'counts',
    calls: [
      countsCall('all arrived', 3, inOrderOfArrival(0, 1, 2)),
      countsCall('two lost, one at the end', 4, inOrderOfArrival(0, 2)),
      countsCall('as many copies as losses', 4, inOrderOfArrival(0, 0, 2, 2)),
      countsCall('nothing arrived', 5, []),
      ...flows.map(({ about, sent, arrivals }) => countsCall(about, sent, arrivals)),
    ],
    misconceptions: [
      {
        says: 'Copies hide losses: what arrived twice is not two packets. Lost are those of which no copy arrived.',
        would: (sent: number, arrivals: Arrival[]) => ({
          ...countsOf(sent, arrivals),
          received: arrivals.length,
          lost: sent - arrivals.length,
        }),
      },
      {
        says: 'Copies hide losses: what arrived twice is not two packets. Lost are those of which no copy arrived.',
        would: (sent: number, arrivals: Arrival[]) => ({ ...countsOf(sent, arrivals), lost: sent - arrivals.length }),
      },
      {
        says: 'The highest number that arrived does not say how many were sent: the last packets may be lost too.',
        would: (sent: number, arrivals: Arrival[]) => {
          const found = countsOf(sent, arrivals)
          const highest = arrivals.reduce((most, { sequence }) => Math.max(most, sequence), -1)
          return { ...found, lost: highest + 1 - found.received }
        },
      },
    ],
    read: REORDERING,
  })
  await expectJitter(context, random, flows)
  await expectReordering(context, flows)

  const last = flows.at(-1)!
  const { reordered, ratio, extents } = reorderingOf(last.arrivals)
  context.measure('jitter', jitterOf(last.arrivals), 'ms')
  for (const extent of extents) context.measure('reordering extent', extent, 'packets')
  return {
    passed: true,
    expected: 'the metrics of RFC 3550 and RFC 4737, whatever is lost or doubled',
    found: `for example, on ${last.about}: jitter ${formatNumber(jitterOf(last.arrivals))} ms, ${reordered} packets reordered (${percent(ratio)}), largest extent ${Math.max(0, ...extents)}`,
    read: [...JITTER, ...REORDERING],
  }
}

async function expectJitter(context: CheckContext, random: Seeded, flows: readonly Flow[]): Promise<void> {
  const offset = random.int(100_000, 900_000)
  const late = inOrderOfArrival(0, 1, 2, 3).map((arrival, i) => ({
    ...arrival,
    receivedMs: 50 + 10 * i + 16 * (i % 2),
  }))
  const shifted = late.map(arrival => ({ ...arrival, receivedMs: arrival.receivedMs + offset }))
  await expectCalls(context, {
    text: 'jitter() is that of RFC 3550',
    file: FILE,
    name: 'jitter',
    calls: [
      call('nothing arrived', jitterOf, []),
      call('one packet', jitterOf, inOrderOfArrival(0), 'With one packet there is no difference yet: 0.'),
      call('transit times 50, 66, 50, 66 ms', jitterOf, late),
      call(
        'the same, with the receiver’s clock far ahead',
        jitterOf,
        shifted,
        'An offset between the clocks cancels out in D: also in the first one.',
      ),
      call(
        'a packet missing',
        jitterOf,
        late.filter(({ sequence }) => sequence !== 1),
      ),
      ...flows.map(({ about, arrivals }) => call(about, jitterOf, arrivals)),
    ],
    misconceptions: [
      jitterBy(
        'D is a difference of transit times. This is one of arrival times: it also counts how fast the sender sends.',
        packets => smooth(packets.map(({ receivedMs }) => receivedMs)),
      ),
      jitterBy('|D|: whether a packet came sooner or later than the one before makes no difference.', packets => {
        let result = 0
        for (let i = 1; i < packets.length; i++) result += (transit(packets[i]) - transit(packets[i - 1]) - result) / 16
        return result
      }),
      jitterBy(
        'J is a running mean with a weight of 1/16 for the newest value (RFC 3550), not the mean of all.',
        packets => {
          const differences = packets.slice(1).map((one, i) => Math.abs(transit(one) - transit(packets[i])))
          return differences.length === 0 ? 0 : differences.reduce((sum, one) => sum + one, 0) / differences.length
        },
      ),
      ...[0, 1].map(less =>
        jitterBy(
          'This is the standard deviation of the transit times. J is a running mean of the differences of neighbours.',
          packets => {
            const times = packets.map(transit)
            if (times.length === 0) return 0
            const mean = times.reduce((sum, one) => sum + one, 0) / times.length
            return Math.sqrt(times.reduce((sum, one) => sum + (one - mean) ** 2, 0) / (times.length - less))
          },
        ),
      ),
      jitterBy('This smooths with 1/8, as the RTT of TCP is smoothed. In RFC 3550 it is 1/16.', packets =>
        smooth(packets.map(transit), 8),
      ),
      jitterBy(
        'Packets are taken in the order of arrival, not of sending: what is compared is what the receiver had before.',
        packets => smooth([...packets].sort((a, b) => a.sequence - b.sequence).map(transit)),
      ),
      jitterBy('J begins with 0, not with the first |D|.', packets => {
        const transits = packets.map(transit)
        if (transits.length < 2) return 0
        return smooth(transits.slice(1), 16, Math.abs(transits[1] - transits[0]))
      }),
      {
        says: 'Further copies count here too: each gives a D of its own. Only first copies are meant.',
        would: (arrivals: Arrival[]) => smooth(arrivals.map(transit)),
      },
    ],
    read: JITTER,
  })
}

async function expectReordering(context: CheckContext, flows: readonly Flow[]): Promise<void> {
  await expectCalls(context, {
    text: 'reordering() is that of RFC 4737',
    file: FILE,
    name: 'reordering',
    calls: [
      call('in order', reorderingOf, inOrderOfArrival(0, 1, 2, 3)),
      call('losses', reorderingOf, inOrderOfArrival(0, 2, 3, 6), 'A gap is a loss, and makes no packet reordered.'),
      call('the example above: 0 1 3 4 2', reorderingOf, inOrderOfArrival(0, 1, 3, 4, 2)),
      call('two late ones: 2 3 0 1', reorderingOf, inOrderOfArrival(2, 3, 0, 1)),
      call('late behind a gap: 0 5 7 3 9', reorderingOf, inOrderOfArrival(0, 5, 7, 3, 9)),
      call(
        'a copy is not reordered: 0 1 2 1 3',
        reorderingOf,
        inOrderOfArrival(0, 1, 2, 1, 3),
        'Further copies are no packets of the flow: they are neither counted nor reordered.',
      ),
      call(
        'a copy before a late one: 0 2 2 1',
        reorderingOf,
        inOrderOfArrival(0, 2, 2, 1),
        'Copies take no place in the order of arrival when the extent is counted.',
      ),
      call('nothing arrived', reorderingOf, []),
      ...flows.map(({ about, arrivals }) => call(about, reorderingOf, arrivals)),
    ],
    misconceptions: [
      reorderingBy(
        'A packet is compared with the highest number so far, not with the one before it only: in 4 5 0 1, both 0 and 1 are late.',
        packets => packets.flatMap((_, i) => (i > 0 && packets[i].sequence < packets[i - 1].sequence ? [i] : [])),
      ),
      reorderingBy(
        'Every packet that is not one more than the one before is counted. Behind a loss that is no reordering: a packet is reordered when its number is **below** the expected one.',
        packets => packets.flatMap((_, i) => (i > 0 && packets[i].sequence !== packets[i - 1].sequence + 1 ? [i] : [])),
      ),
      reorderingBy('The late packet is the reordered one, not those that overtook it.', packets =>
        packets.flatMap(({ sequence }, i) =>
          packets.slice(i + 1).some(other => other.sequence < sequence) ? [i] : [],
        ),
      ),
      {
        says: 'The extent is counted in arrivals, back to the first packet that overtook; this is the distance between numbers.',
        would: (arrivals: Arrival[]) =>
          variant(arrivals, (packets, i) => highestBefore(packets, i) - packets[i].sequence),
      },
      {
        says: 'The extent goes back to the **first** packet with a higher number, the one that arrived earliest; this goes to the last.',
        would: (arrivals: Arrival[]) =>
          variant(arrivals, (packets, i) => {
            let j = i - 1
            while (j >= 0 && packets[j].sequence < packets[i].sequence) j--
            return i - j
          }),
      },
      {
        says: 'This is how many packets overtook it. The extent counts all arrivals back to the first of them, also those that did not overtake it.',
        would: (arrivals: Arrival[]) =>
          variant(
            arrivals,
            (packets, i) => packets.slice(0, i).filter(one => one.sequence > packets[i].sequence).length,
          ),
      },
      {
        says: 'The ratio is that of the packets that arrived. What is lost cannot be late.',
        would: (arrivals: Arrival[]) => {
          const found = reorderingOf(arrivals)
          const highest = arrivals.reduce((most, { sequence }) => Math.max(most, sequence), -1)
          return { ...found, ratio: highest < 0 ? 0 : found.reordered / (highest + 1) }
        },
      },
      {
        says: 'The late time is measured between two arrivals: that of the packet that overtook first, and its own.',
        would: (arrivals: Arrival[]) => {
          const packets = firstCopies(arrivals)
          const found = reorderingOf(arrivals)
          return { ...found, lateMs: reorderedIndexes(packets).map(i => transit(packets[i])) }
        },
      },
      {
        says: 'Further copies are counted as reordered. Only first copies are looked at.',
        would: (arrivals: Arrival[]) => metricsOf(arrivals),
      },
    ],
    read: REORDERING,
  })
}

function jitterBy(says: string, would: (packets: Arrival[]) => number): Misconception {
  return { says, would: (arrivals: Arrival[]) => would(firstCopies(arrivals)) }
}

/** Another idea of which packets are reordered: recognised by how many they are. */
function reorderingBy(says: string, which: (packets: Arrival[]) => number[]): Misconception {
  return {
    says,
    would: (arrivals: Arrival[]) => metricsOf(firstCopies(arrivals), which(firstCopies(arrivals))),
  }
}
