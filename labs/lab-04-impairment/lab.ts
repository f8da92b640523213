/** Lab 4 as data. The check of each task is in `checks/`, under its name. */
import { MILLISECONDS } from '../kit/check/questions.ts'
import { defineLab } from '../kit/lab/declare.ts'

const HANDOUT = 'labs/lab-04-impairment/README.md'

export const lab = defineLab({
  at: import.meta.url,
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
    'say what a change of network costs a tunnel that moves and one that does not, and when a proxy believes in a new address',
  ],
  prerequisites: ['TypeScript: functions, classes, typed arrays', 'mean, median, probability', 'lab 1'],
  minutes: 280,
  panel: async () => (await import('./ui.tsx')).LinkPanel,
  reading: ['man tc-netem', 'RFC 9002 Loss Detection and Congestion Control', 'RFC 8289 CoDel', 'docs/netem.md'],
  tasks: [
    {
      id: 'estimate',
      title: 'Verify the link first',
      kind: 'coding',
      points: 12,
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
        'src/stats/intervals.ts, afterwards',
      ],
    },
    {
      id: 'sweep',
      title: 'Loss: datagrams against a stream',
      kind: 'coding',
      measures: true,
      points: 12,
      files: ['sweep.ts'],
      brief: `
        IP packets go through the tunnel in QUIC datagrams, or as capsules on a stream. On a clean link both are the same. With loss they
        are not: a datagram that is lost is gone; on a stream it is sent again, and **everything behind it waits**.

        \`\`\`
        sent          1   2   3   4   5   6   7   8
        datagrams         2   3   4   5   6   7   8     1 is gone
        stream                        12345     6  7  8  2 to 5 wait
        \`\`\`

        How many packets are held up at 5 % loss, and for how long? In \`sweep.ts\`, write the model: \`predictDatagrams\`,
        \`lossDetectionMs\` and \`predictStream\`. **Before you run the check, write down what you expect** for a packet in each 10 ms, 25
        ms one way, 5 % loss. Then the check sends 420 pings at each of four loss rates through two tunnels on the same link, and shows
        your prediction beside what was measured of the first 400.
      `,
      hints: [
        'When does the acknowledgement of the k-th packet behind a lost one arrive? That packet is sent k · everyMs later, and then a round trip passes.',
        'The time threshold needs both: 9/8 of a round trip, **and** an acknowledgement of a later packet. So it is the later one of these two. Of the two thresholds it is then the earlier one.',
        'A packet waits for the lost packet k places before it when that one is lost and none of the k packets after it: loss · (1 - loss)^k.',
        'Sum up over k = 0, 1, 2 … while R - k · everyMs is above 0: the probabilities give the share, the probabilities times what is left of R give the mean wait.',
      ],
      reading: [
        'RFC 9002 §6.1 Acknowledgment-Based Detection',
        'RFC 9221 §5',
        `${HANDOUT}, "Nobody waits, or everybody"`,
      ],
    },
    {
      id: 'metrics',
      title: 'Jitter and reordering',
      kind: 'coding',
      points: 10,
      files: ['metrics.ts'],
      brief: `
        A telephone call does not mind a constant delay of 50 ms. It minds packets that come now after 40 and now after 90, and
        packets that overtake each other. Both have measures that everybody understands the same way: **jitter** of RFC 3550, and
        **reordering** of RFC 4737.

        \`\`\`
        sent      0  1  2  3  4  5  6  7
        arrived   0  1  3  4  2  2  6  7        5 is lost, 2 came twice
                             ^ reordered, extent 2: back to 3
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
      reading: ['RFC 3550 §6.4.1', 'RFC 4737 §3, §4', 'src/stats/reorder.ts, src/stats/statistics.ts, afterwards'],
    },
    {
      id: 'bloat',
      title: 'Bufferbloat',
      kind: 'coding',
      measures: true,
      points: 8,
      files: ['bloat.ts'],
      brief: `
        Memory is cheap, so devices have large queues. No packet is lost that way; and every packet waits behind all of them. The profile
        \`bufferbloat\` is such a line:

        \`\`\`
                        256 KiB                1 Mbit/s
        somebody's upload ---> [#################] ---> 15 ms ---> proxy
        your ping         --->                 ^
                                               | waits for all of it
        \`\`\`

        Idle, a ping takes 30 ms. **What does it take during an upload? Write down a number.** Then, in \`bloat.ts\`, write \`fullQueueMs\`,
        \`roundTripUnderLoadMs\`, \`fullAfterMs\` and \`limitFor\`. The check measures on the real profile, and then once more with the limit
        that your \`limitFor\` gives for 50 ms.
      `,
      hints: [
        'First, how many bits are in a full queue? A limit is either in bytes or in packets: `"bytes" in link.limit`.',
        'Bits divided by bit/s are seconds.',
        'In each second, `offered` come in and `bitsPerSecond` go out. What stays is in the queue.',
      ],
      reading: [
        `${HANDOUT}, "The queue before the bottleneck"`,
        'Gettys and Nichols, "Bufferbloat: Dark Buffers in the Internet"',
      ],
    },
    {
      id: 'codel',
      title: 'CoDel: a queue that controls its delay',
      kind: 'coding',
      points: 14,
      files: ['codel.ts'],
      brief: `
        A plain queue drops when it is full. Then it has been full for a while already, and everybody waits. CoDel looks at how long
        packets **stay** in the queue. Short bursts it lets pass. When for a whole interval every packet has waited longer than a
        target, it drops at the head, again and again, a little faster each time, until the senders slow down.

        \`\`\`
        drop        1        2       3      4     5
        time   ---- x ------ x ----- x ---- x --- x -->
                    interval  /√2    /√3    /√4
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
    },
    {
      id: 'outage',
      title: 'Three seconds without a network',
      kind: 'config',
      measures: true,
      mutants: true,
      points: 10,
      files: ['client.toml', 'outage.ts'],
      brief: `
        A train goes through a tunnel. For three seconds nothing passes. Two timers decide about the session: the **idle timeout** gives
        it up; the **probe timeout** tries again, with more and more patience:

        \`\`\`
                     |<---- outage ---->|
        sent  -------x---p----p-------p-|-------------p--> answer
                      pto 2pto  4pto         8pto
                                        |<- recovery ->|
        \`\`\`

        The longer the outage was, the longer the pauses have become: **when the network is back, the sender does not know it**.

        In \`outage.ts\`, write the timers. In \`client.toml\`, choose an idle timeout and a keep-alive that the comments there ask for.
        The check then lets the profile \`outage-3s\` loose on three tunnels: yours in datagrams, yours on a stream, and one with an idle
        timeout of 2.5 s.
      `,
      hints: [
        'Probe number n is sent (2^n - 1) probe timeouts after the packet: 1, 3, 7, 15, 31.',
        '`recoveredAtMs`: go from probe to probe until one is not before the end of the outage.',
        'If probe n was sent just before the end of the outage, (2^n - 1) timeouts after the packet, the next one follows 2^n timeouts later. What is the largest n, when the packet was sent in the outage, too?',
        'The idle timeout has to cover the outage **and** the recovery: nothing arrives in either. That is a little more than 6 s.',
      ],
      reading: ['RFC 9000 §10.1 Idle Timeout', 'RFC 9002 §6.2 Probe Timeout', `${HANDOUT}, "When the network is gone"`],
    },
    {
      id: 'migration',
      title: 'Another port, another network',
      kind: 'coding',
      measures: true,
      points: 14,
      files: ['migration.ts', 'answers.toml', 'measured.toml'],
      brief: `
        The address of a client may change in two ways. It goes **from one network to another**, and moves its connection there; or a **NAT**
        on the way loses its table, and the client notices nothing. And it may be that nobody moves at all:

        \`\`\`
        move        client --x-- first path ---- proxy    PATH_CHALLENGE on the
                          \\---- second path ---/          second, then go on there
        rebinding   client ---- NAT :40001 ----- proxy    the next packet comes
                                    :52417                from another port
        reconnect   client --x-- first path ---- proxy    idle timeout, then a
                          \\---- second path ---/          new connection
        \`\`\`

        In \`migration.ts\`, **predict** how long the inside hears nothing in each of the three. Then take the proxy's side: write \`followPath\`,
        which says where it sends to, and how much, while it does not know yet whether the new address is the client's.

        Answer the questions in \`answers.toml\`. Then run the check: when the code and the first four answers are right, it **measures** all three, over paths with
        a round trip of its choice, and keeps the figures in \`measured.toml\`. **Explain** them in the last two answers, and check again. More runs, over paths of 60 ms,
        say: \`npx tsx labs/lab-04-impairment/moving.ts 60\`.
      `,
      questions: [
        {
          id: 'finds',
          prompt: 'A UDP datagram arrives at the proxy. By what does it find the QUIC connection that this belongs to?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'By the addresses and ports of both sides.',
            b: 'By the Destination Connection ID of its packet.',
            c: 'By its packet number.',
            d: 'By the ticket of the TLS session, which it begins with.',
          },
        },
        {
          id: 'proves',
          prompt: "The proxy has answered the client's PATH_CHALLENGE. What is proven by that, and to whom?",
          placeholder: 'a, b, c or d',
          choices: {
            a: 'To the proxy: the client is where it says it is.',
            b: 'To both: packets get through in both directions.',
            c: 'To the client: the new path leads to its proxy, and back.',
            d: 'To the client: nobody has changed its packets on the way.',
          },
        },
        {
          id: 'inner',
          prompt: 'The client has moved. Why are its addresses inside of the tunnel the same as before?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'They belong to the request, and its connection goes on.',
            b: 'The client has asked for them again, and the proxy has found them free.',
            c: 'The proxy keeps the addresses of each identity for a minute.',
            d: 'The proxy translates between the addresses outside and inside.',
          },
        },
        {
          id: 'flight',
          prompt:
            'A ping had left on the old path a quarter of a round trip before that was gone, and had no reply. What is on the path arrives. What happened?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The ping was lost: it was still on the path to the proxy.',
            b: 'The ping was sent again, on the new path, and came too late.',
            c: 'The proxy has kept its reply back, until it knew where the client was.',
            d: 'The ping arrived; the reply to it was sent to the old path.',
          },
        },
        {
          id: 'trips',
          prompt:
            'Once measured: how many round trips was the move of your run silent for? A number with three digits.',
          placeholder: 'a number, such as 3.21',
        },
        {
          id: 'noticing',
          prompt:
            'Once measured: when nobody moved, which part of the silence went by before the client knew that its session was lost? In percent, with four digits.',
          placeholder: 'a number, such as 43.21',
        },
      ],
      hints: [
        'Draw the two paths as lines of time. When does the last reply on the old one come? When may the first ping leave on the new one, and when is its reply there?',
        'After the idle timeout: handshake, SETTINGS, request, as in task 1 of lab 2. And then a ping.',
        '`followPath`: keep for each address how much came, how much was sent, and whether it is validated; and for each challenge, where it was sent to.',
        'A packet moves the connection if it is not probing **and** its number is above that of all before that were not probing. Validation is another matter, and decides about room and going back only.',
        'Going back: note after each event whether the address in use is validated; the last one that was is where to go back to.',
      ],
      reading: [
        'RFC 9000 §5.1 Connection ID',
        'RFC 9000 §8.2 Path Validation',
        'RFC 9000 §9 Connection Migration',
        `${HANDOUT}, "Another address"`,
        'docs/architecture.md, "How a tunnel moves"',
      ],
    },
    {
      id: 'handover',
      title: 'Out of the house',
      kind: 'question',
      measures: true,
      mutants: true,
      points: 6,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        Now the profile \`handover-wifi-lte\`: the Wi-Fi gets weaker for five seconds, until it has 20 ms one way and loses up to 15 % in each direction. Then it is gone,
        and LTE is there, with 32 ms one way.

        \`\`\`
        Wi-Fi   ------ -- --- - -- - -x
        LTE                           -------------------
                        ^             ^
                        one tunnel    another one moves here
                        moves here
        \`\`\`

        Two tunnels are on this link at the same time, with a ping every 20 ms in each. One moves in the moment when the Wi-Fi is gone, the other one two seconds
        earlier. **Predict** the silence of the one that moves last, and answer the three questions behind it. Then run the check: it **measures**, and keeps the figures
        in \`measured.toml\`. **Explain** in the last two answers what of them is the protocol and what the network, and check again.
      `,
      questions: [
        {
          id: 'silence',
          prompt:
            'Prediction: the client moves when the Wi-Fi is gone. How much time is between the last reply over the Wi-Fi and the first one over LTE? In ms.',
          prediction: { units: MILLISECONDS },
          placeholder: 'a number',
        },
        {
          id: 'earlier',
          prompt: 'And the tunnel that moves two seconds earlier: for how long is it silent?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'For as long as the other one: a challenge takes its round trip.',
            b: 'Not at all, since the proxy sends on both paths for two seconds.',
            c: 'Hardly: the Wi-Fi carries everything until LTE has answered.',
            d: 'For two seconds: the proxy follows only when the Wi-Fi is gone.',
          },
        },
        {
          id: 'slower',
          prompt: 'Two seconds after the handover, the round trip is several times as long as it was at first. Why?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The congestion window is small again after a move.',
            b: 'Because of the network: LTE is farther away.',
            c: 'The challenges in both directions take their time.',
            d: 'On LTE there is more around each packet than on Wi-Fi.',
          },
        },
        {
          id: 'reset',
          prompt:
            'When the path is another one, a sender begins anew with its congestion window and its estimate of the round trip (RFC 9000 §9.4). Why?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'They were measured on a path that is not in use any more.',
            b: 'So that the others on the new path get as much of it as the one that comes.',
            c: 'With the path, the keys and the packet numbers change, too.',
            d: 'So that nobody can be flooded by a client that gives a wrong address.',
          },
        },
        {
          id: 'challenge',
          prompt:
            'Once measured, the protocol: how many round trips of LTE (its median) did the challenge take of the tunnel that moved last? Three digits.',
          placeholder: 'a number, such as 2.34',
        },
        {
          id: 'fading',
          prompt:
            'Once measured, the network: of all its pings that are missing, which part had the Wi-Fi lost before it was gone? In percent.',
          placeholder: 'a number, such as 43.2',
        },
      ],
      hints: [
        'silence: as in task 7, with two paths that differ. Which of them do challenge and first ping take, and which one the last reply?',
        'earlier: what is sent on which path while a challenge is under way?',
        'challenge: `path_ms` and `lte_p50_ms`. fading: `fading_missing`, and `missing`, which is what was lost around the move.',
      ],
      reading: ['RFC 9000 §9.3, §9.4', `${HANDOUT}, "From Wi-Fi to LTE"`, 'netem/profiles/handover-wifi-lte.toml'],
    },
    {
      id: 'mobile',
      title: 'A mobile network of your choice',
      kind: 'config',
      measures: true,
      mutants: true,
      points: 8,
      files: ['report.toml', 'measured.toml', 'my-profile.toml'],
      brief: `
        Now a network of your choice: a telephone with a bad signal, a train, the metro, satellites. Or one of your own, in
        \`my-profile.toml\`. Measure it:

        \`\`\`
        npx tsx labs/lab-04-impairment/measure.ts train
        \`\`\`

        and write \`report.toml\`: round trip, loss **with its interval**, goodput, and in some sentences which figure surprised you and what
        in the profile explains it. The script keeps its figures in \`measured.toml\`. The check looks whether those of your report are of one of
        its runs, and fit each other and the profile; then it measures once more.
      `,
      hints: [
        'The script prints figures in the form of the report. The interval it leaves to you: `wilson(lost, sent, 1.96)`, times 100.',
        'The profile is a text file in `netem/profiles/`. Which of its lines explain the median, which p95?',
        'A timeline that repeats (train, metro, leo) shows in p95 before it shows in the median.',
      ],
      reading: ['docs/netem.md', `${HANDOUT}, "A report"`],
    },
    {
      id: 'break-window',
      title: 'Break the window',
      kind: 'coding',
      points: 6,
      files: ['break-window.ts'],
      answerIsTest: true,
      brief: `
        Now the other way round: the code is given, and you write what finds its mistakes. Whatever measures in this lab has to tell a late
        packet from a doubled one, and cannot remember all numbers for ever. \`src/stats/sequence-window.ts\` remembers a window of them. Its
        comments say what it promises.

        In \`break-window.ts\`, write a **test** of it. The check has the sound window and eight that are broken, each in one place. Your
        test has to return for the sound one, in whatever way that is written, and to throw for each of the others. It says in words what
        is wrong with those that you have not found out; the code it keeps to itself.
      `,
      hints: [
        'One function for each promise. What would have to happen, and in which order, so that a window that breaks it does something else?',
        'Two numbers that are a window apart share a place. Which of them was seen?',
        'A window can go on by one, by a few, and by more than itself. After each, ask for what was skipped.',
      ],
      reading: ['src/stats/sequence-window.ts', 'RFC 4737 §3', 'nodejs.org/api/assert.html'],
    },
  ],
})
