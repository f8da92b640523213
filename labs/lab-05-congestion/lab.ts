/** Lab 5 as data. The check of each task is in `checks/`, under its name. */
import { defineLab } from '../kit/lab/declare.ts'

const HANDOUT = 'labs/lab-05-congestion/README.md'

export const lab = defineLab({
  at: import.meta.url,
  id: 'lab-05-congestion',
  number: 5,
  title: 'Who may send how much',
  summary:
    'Loss recovery and congestion control: read them in a qlog, predict a window, write NewReno, and then a controller of your own for the tunnel.',
  objectives: [
    'read in a qlog what became of each packet, and why',
    'predict the course of a window, and say what each event does to it',
    'write the congestion control of RFC 9002',
    'write a controller that keeps a queue short and shares a line, and show that it does by an experiment with a stated false-alarm rate',
  ],
  prerequisites: ['TypeScript: classes', 'labs 2 and 4'],
  minutes: 300,
  panel: async () => (await import('./ui.tsx')).CongestionPanel,
  reading: ['RFC 9002 Loss Detection and Congestion Control', 'src/quic/typescript/recovery/congestion/controller.ts'],
  tasks: [
    {
      id: 'read-recovery',
      title: 'What became of each packet',
      kind: 'question',
      points: 8,
      files: ['answers.toml', 'run.sqlog'],
      brief: `
        \`exercises/run.sqlog\` is the **qlog** of a sender: a connection with NewReno over the link emulator, on which 6 % of the packets were lost and for 0.8 s
        nothing passed. One line is one event, with its time in ms:

        \`\`\`
        335.3 recovery:packet_lost    packet_number 27, trigger …
        335.3 recovery:metrics_updated               congestion_window …
        335.3 recovery:congestion_state_updated      new: recovery
        \`\`\`

        Open it in an editor, or in qvis (https://qvis.quictools.info), or ask it with \`grep packet_lost\`. The panel shows the window: at \`r\` the first
        recovery period begins, at \`e\` it ends.

        A run of your own: \`npx tsx labs/lab-05-congestion/record-run.ts\`. Then the questions are about that one; hand it in, too.
      `,
      questions: [
        { id: 'lost', prompt: 'How many 1-RTT packets were declared lost?', placeholder: 'a number' },
        {
          id: 'time',
          prompt:
            'How many of these by the time threshold, and not because one sent three places later, or more, had arrived?',
          placeholder: 'a number',
        },
        {
          id: 'decided',
          prompt:
            'An ACK made loss recovery declare the first of them lost. What is the largest packet number that it acknowledged?',
          placeholder: 'a packet number',
        },
        { id: 'window', prompt: 'How large was the window right after that, in bytes?', placeholder: 'bytes' },
        {
          id: 'recovery',
          prompt: 'How long did the recovery period last that began then, in ms?',
          placeholder: '12.3 ms',
        },
        { id: 'pto', prompt: 'How often did the probe timeout ring?', placeholder: 'a number' },
      ],
      hints: [
        'Each `packet_lost` has a `trigger`: `reordering_threshold` (one that was sent three places later, or more, has arrived) or `time_threshold`.',
        'An ACK is in a `packet_received`: look at the last one before the first `packet_lost`, at its frame with `acked_ranges`.',
        'The window is `congestion_window` in `metrics_updated`, which has only what has changed.',
        'A recovery period begins and ends with a `congestion_state_updated`.',
        'A timer that rings is a `loss_timer_updated` with `event_type` expired. There are two: `ack` and `pto`.',
      ],
      reading: [`${HANDOUT}, "Reading a qlog"`, 'RFC 9002 §6.1 and §6.2', 'docs/wireshark.md, "qlog"'],
    },
    {
      id: 'predict',
      title: 'The course of a window',
      kind: 'question',
      points: 8,
      files: ['answers.toml'],
      brief: `
        A connection with NewReno. Datagrams have 1200 bytes, the initial window is 12000, a round trip takes 100 ms. Each round trip the window is filled, and
        all of it is acknowledged, unless something else is said:

        \`\`\`
        a  after one round trip
        b  after three
        c  the first ACK of the next round: a packet is lost
        d  of the same round, 60 more are acknowledged,
           and three more declared lost
        e  ten round trips later
        f  6 s later: two packets were sent in each round trip
        g  then nothing arrives any more, until an ACK shows
           that all of 3 s is lost: persistent congestion
        h  three round trips later
        \`\`\`

        How large is the window at each letter, in bytes? The panel draws it as far as you are right.
      `,
      questions: [
        { id: 'a', prompt: 'The window at a, after one round trip?', placeholder: '12000' },
        { id: 'b', prompt: 'At b, after three?', placeholder: 'bytes' },
        { id: 'c', prompt: 'At c, after the loss?', placeholder: 'bytes' },
        { id: 'd', prompt: 'At d, after what was sent with it?', placeholder: 'bytes' },
        { id: 'e', prompt: 'At e, ten round trips later?', placeholder: 'bytes' },
        { id: 'f', prompt: 'At f, after 6 s with two packets in each round trip?', placeholder: 'bytes' },
        { id: 'g', prompt: 'At g, after persistent congestion?', placeholder: 'bytes' },
        { id: 'h', prompt: 'At h, three round trips later?', placeholder: 'bytes' },
      ],
      hints: [
        'In slow start each acknowledged byte lets the window grow by one byte.',
        'The 60 and the three of d were sent before the window was made smaller: a recovery period is on.',
        'From c on there is a threshold: half of the window that the loss has met. What does that make of the ten round trips up to e?',
        'At g the threshold becomes half of the window, and the window the minimum. What does that make of h?',
      ],
      reading: [`${HANDOUT}, "NewReno"`, 'RFC 9002 §7.3, §7.6 and §7.8'],
    },
    {
      id: 'new-reno',
      title: 'NewReno',
      kind: 'coding',
      points: 14,
      files: ['new-reno.ts'],
      brief: `
        How much may be in flight? Nobody tells a sender what the path carries. NewReno finds out: it sends more until something is lost, and then
        half of it:

        \`\`\`
        window      /|         __/
                  /  |     __/
                /    | __/
              /      |/             time -->
         slow start  loss, recovery, congestion avoidance
        \`\`\`

        In \`new-reno.ts\`, write what the comments say: \`initialWindow\`, \`minimumWindow\`, and what \`NewReno\` does when packets were acknowledged or
        lost. It is a controller as the QUIC engine of this repository takes it: loss recovery calls it, and looks at its \`window\`.

        The check makes the calls of connections that are made up for you, and compares window and threshold after each of them.
      `,
      hints: [
        'Begin with the two formulas. `Math.min` and `Math.max` are all they need.',
        'A recovery period is nothing but a time: `#recoveryStart`. Whoever was sent until then belongs to it.',
        'Loss recovery calls `onCongestion` with the time at which the **last** of the lost packets was sent. If that is not later than `#recoveryStart`, all of them are old news.',
        'In congestion avoidance: add the bytes up; when they are as many as the window, take the window off, and let it grow.',
        'The order in `onCongestion`: threshold from the window of before, then the window from the threshold.',
      ],
      reading: [
        `${HANDOUT}, "NewReno"`,
        'RFC 9002 §7.2 and §7.3',
        'RFC 9002 appendix B',
        'src/quic/typescript/recovery/congestion/new-reno.ts, afterwards',
      ],
    },
    {
      id: 'controller',
      title: 'A controller for the tunnel',
      kind: 'coding',
      points: 20,
      timeoutMs: 600_000,
      files: ['controller.ts'],
      brief: `
        The telephone's modem has a queue for nearly half a second (\`netem/profiles/lte-bloat.toml\`), and NewReno keeps it full: it goes on until something is
        lost. Everybody else's packets wait behind it.

        \`\`\`
        tunnel ---+
                  +--> [##############] 2 Mbit/s --> proxy
        CUBIC  ---+      80 packets
        \`\`\`

        In \`controller.ts\`, write a controller that does better. **Alone**, 95 of 100 packets arrive in half of the time that NewReno's take, and it
        carries nearly as much. **Beside a CUBIC**, which fills the queue, neither of the two starves: Jain's index is 0.8 at least.

        The check runs whole connections in virtual time, on 12 networks that are drawn for you. In nine of ten such networks each of the three has to hold; how it
        is decided, and how often it errs, is in the handout.
      `,
      hints: [
        'Round trips tell how long the queue is: `#rtt.latest - #rtt.min`. One packet may be unlucky; when even the luckiest of a round trip had to wait, the queue stands.',
        'A round trip is over when a packet is acknowledged that was sent after it had begun: keep the number of the newest packet that was sent (`onSent`).',
        'How much is enough? With a window that makes a round trip of 120 ms where the shortest is 60, half of the window would do without any queue.',
        "When you send less and the queue stays, it is somebody else's. Then give back what you took away, and do as NewReno or CUBIC do until the next loss.",
        'NewReno beside CUBIC gets less and less, the longer round trips are: one datagram in each of them is little. CUBIC leaves 0.7 of its window after a loss, and is back some ten round trips later.',
      ],
      reading: [
        `${HANDOUT}, "A controller for the tunnel"`,
        `${HANDOUT}, "How a controller is judged"`,
        'RFC 9438 CUBIC',
        'src/quic/typescript/recovery/congestion/',
      ],
    },
  ],
})
