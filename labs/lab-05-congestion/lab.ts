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
  ],
})
