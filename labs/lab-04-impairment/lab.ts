/** Lab 4 as data. The checks are in harness.ts, which is loaded when the first of them runs. */
import { checksOf, defineLab } from '../kit/declare.ts'

const check = checksOf(() => import('./harness.ts'))
const HANDOUT = 'labs/lab-04-impairment/README.md'

export const lab = defineLab({
  id: 'lab-04-impairment',
  number: 4,
  title: 'Break the network on purpose',
  summary:
    'Loss, jitter, full queues, outages and new addresses: predict what they do to a tunnel, measure it, and explain the difference.',
  objectives: [
    'estimate what a link does from what arrives, with the uncertainty of the estimate',
    'predict what loss does to datagrams and to a stream, and measure both',
    'tell a good queue from a bad one, and write a queue that knows the difference',
    'say how long a session lives without a network, and how long it takes to recover',
  ],
  prerequisites: ['TypeScript: functions, classes, typed arrays', 'mean, median, probability', 'lab 1'],
  minutes: 240,
  reading: ['man tc-netem', 'RFC 9002 Loss Detection and Congestion Control', 'RFC 8289 CoDel', 'docs/netem.md'],
  tasks: [
    {
      id: 'estimate',
      title: 'Verify the link first',
      kind: 'coding',
      points: 14,
      files: ['estimate.ts'],
      brief: `
        Before you measure anything over an impaired link, make sure that it does what it says. You send 200 packets over a link
        with 1 % loss. How many are lost? Two, most likely. But 0 happens in 13 of 100 cases, and 5 or more in 5 of 100. So a loss rate
        that was measured is an **interval**:

        \`\`\`
        lost   sent    loss rate, 95 %
           0     50    0      to 7.1 %
           2    200    0.27   to 3.6 %
          20   2000    0.65   to 1.5 %
        \`\`\`

        And losses come in **bursts**. \`tc netem\` has a model for them with two states, of Gilbert and Elliott. Its parameters can be found
        from nothing but the pattern of losses.

        In \`estimate.ts\`, write \`wilson\`, \`burstLengths\` and \`fitGilbertElliott\`. They are judged on thousands of links that are made for
        you, whose truth is known; then on a trace that is recorded through the emulator.
      `,
      hints: [
        'Wilson: calculate the centre, the half width and the divisor one after the other, then cut off at 0 and 1.',
        'A burst ends with an arrival, or with the trace.',
        'For c, look at each i with a loss at i and a loss at i + 2: what is at i + 1?',
        'In the count of b, the last packet of the trace has nothing behind it.',
        'NaN is neither above 0 nor at most 1: one comparison finds all results that are no probability.',
      ],
      reading: [
        `${HANDOUT}, "An estimate is an interval"`,
        'man tc-netem: loss gemodel',
        'src/measure/intervals.ts, afterwards',
      ],
      timeoutMs: 60_000,
      check: check('checkEstimate'),
    },
    {
      id: 'metrics',
      title: 'Jitter and reordering',
      kind: 'coding',
      points: 12,
      files: ['metrics.ts'],
      brief: `
        A telephone call does not mind a constant delay of 50 ms. It minds packets that come now after 40 and now after 90, and
        packets that overtake each other. Both have measures that everybody understands the same way: **jitter** of RFC 3550, and
        **reordering** of RFC 4737.

        \`\`\`
        sent      0  1  2  3  4  5  6  7
        arrived   0  1  3  4  2  2  6  7        5 is lost, 2 came twice
                             ^ reordered, extent 2: 3 overtook it, two arrivals before
        \`\`\`

        In \`metrics.ts\`, write \`firstCopies\`, \`counts\`, \`jitter\` and \`reordering\`. The definitions are short. What makes
        programs differ is what they do with losses and copies; so do exactly what the comments say.
      `,
      hints: [
        'Each of the other three functions begins with `firstCopies`.',
        'Transit time: `receivedMs - sentMs`. Keep that of the packet before; the first packet has none before it.',
        'One variable is enough to find reordered packets: one more than the highest number so far.',
        'The packet that the extent goes back to is the first in the order of arrival with a higher number: `findIndex`.',
      ],
      reading: ['RFC 3550 §6.4.1', 'RFC 4737 §3, §4', 'src/measure/reorder.ts, src/measure/statistics.ts, afterwards'],
      check: check('checkMetrics'),
    },
    {
      id: 'codel',
      title: 'CoDel: a queue that controls its delay',
      kind: 'coding',
      points: 16,
      files: ['codel.ts'],
      brief: `
        A plain queue drops when it is full. Then it has been full for a while already, and everybody waits. CoDel looks at how long
        packets **stay** in the queue. Short bursts it lets pass. When for a whole interval every packet has waited longer than a
        target, it drops at the head, again and again, a little faster each time, until the senders slow down.

        \`\`\`
        drop        1        2       3      4     5
        time   ---- x ------ x ----- x ---- x --- x -->
                    interval  /√2    /√3    /√4       no longer than target: stop
        \`\`\`

        In \`codel.ts\`, write \`controlLaw\`, \`takeAndJudge\` and \`dequeue\`. The queue itself is there. The check plays good queues, bursts,
        standing queues and overload in virtual time, packet by packet. Then a sender that fills its window runs through your queue.
        The chart shows the delay before and after.
      `,
      hints: [
        '`takeAndJudge` decides by one packet only: the one it has just taken. `#bytes` are those behind it.',
        'Write `dequeue` for the case outside of the dropping state first. That passes the first three scenarios.',
        'The loop in the dropping state: `while (this.#dropping && nowMs >= this.#dropNextMs)`. Each turn drops one, takes one, and either sets the time of the next drop or leaves the state.',
        'Entering the state again: compare `nowMs - this.#dropNextMs` with 16 intervals, before `#dropNextMs` is set anew.',
      ],
      reading: ['RFC 8289 §4 and §5', `${HANDOUT}, "CoDel"`],
      timeoutMs: 60_000,
      check: check('checkCoDel'),
    },
  ],
})
