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
  objectives: ['write the congestion control of RFC 9002, and say why it does what it does'],
  prerequisites: ['TypeScript: classes', 'labs 2 and 4'],
  minutes: 300,
  panel: async () => (await import('./ui.tsx')).CongestionPanel,
  reading: ['RFC 9002 Loss Detection and Congestion Control', 'src/quic/typescript/recovery/congestion/controller.ts'],
  tasks: [
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
        The telephone's modem has a queue for half a second (\`netem/profiles/lte-bloat.toml\`), and NewReno keeps it full: it goes on until something is
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
