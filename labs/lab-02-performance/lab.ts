/**
 * Lab 2 as data. The check of each task is in `checks/`, under its name.
 *
 * They go from what is certain to what is measured. Formulas and machines come first, by exact values and in virtual time, with
 * inputs generated from the student's seed: a mistake is found there, within a second or two. What is measured live then shows that
 * the model is one of the real thing; these verdicts are about ratios and counts that a busy machine does not change.
 */
import { defineLab } from '../kit/lab/declare.ts'

const HANDOUT = 'labs/lab-02-performance/README.md'

export const lab = defineLab({
  at: import.meta.url,
  id: 'lab-02-performance',
  number: 2,
  title: 'Performance: predict, measure, explain',
  summary:
    'Predict what a tunnel costs in round trips, bytes and waiting, measure it, and explain the difference. Then write what makes it faster.',
  objectives: [
    'predict the time until a tunnel is there from the round-trip time, and its goodput from the size of packets',
    'explain what a lost packet holds up, on streams, in datagrams and over HTTP/2',
    'write a packet pump with bounded latency, and a search for the MTU of a path',
    'read latency from histograms, and find the knee of a system under load',
  ],
  prerequisites: ['lab 1', 'TypeScript: functions, classes, Uint8Array', 'percentiles'],
  minutes: 290,
  panel: async () => (await import('./ui.tsx')).Charts,
  reading: ['RFC 9000', 'RFC 9221', 'RFC 9297', 'RFC 9484', 'RFC 8899', `${HANDOUT}: the handout`],
  tasks: [
    {
      id: 'handshake',
      title: 'Round trips until there is a tunnel',
      kind: 'coding',
      measures: true,
      points: 8,
      files: ['formulas.ts'],
      brief: `
        Far away, computers are fast and light is slow: what counts is how often one side has to wait for the other. Three formulas are
        asked for, in \`formulas.ts\`, **before** you measure:

        - \`handshakeMs\`: until the QUIC handshake is complete for the client; also with a Retry,
        - \`sessionMs\`: from there until the tunnel has an address and routes,
        - \`firstAnswerMs\`: until a first ping through the tunnel has been answered.

        The check connects real clients over an emulated link, at three round-trip times, and shows your predictions beside what it
        measures. Where they differ by a round trip, one of the two has missed something. Which?
      `,
      hints: [
        'Draw the arrows of the figure in `formulas.ts` for a link with 100 ms one way, and write times on both sides.',
        'The handshake is complete for the client when it has the flight of the server. Its own Finished is still on its way then.',
        'Who sends first once the handshake is complete? The client may not send its request before it has the SETTINGS of the server.',
        'The ADDRESS_REQUEST goes right behind the request. Its answer comes right behind the response.',
      ],
      reading: ['RFC 9000 §7, §8.1.2', 'RFC 9001 §4.1.1, §4.1.2', 'RFC 9220 §3', 'src/client/client-tunnel.ts'],
    },
    {
      id: 'overhead',
      title: 'Bytes around a packet',
      kind: 'coding',
      points: 8,
      files: ['overhead.ts'],
      brief: `
        An IP packet goes into the tunnel wrapped in frames, QUIC, UDP and IP again. How much is that, to the byte?

        In \`overhead.ts\`, calculate it for three ways to carry packets: in a QUIC **datagram**; on **a stream for each packet**;
        and all on **a single stream**. And from it the **goodput**: what is left of a link for IP packets.

        The check sends packets through real tunnels and counts the bytes on the wire. Equal means equal.
      `,
      hints: [
        'Begin with `varintLength`: nearly everything else uses it.',
        'The QUIC packet is the same for all three: first byte, connection id, packet number, and the tag of 16 bytes at its end.',
        '0x4d51 is more than 14 bits.',
        'Single stream, from the inside: Context ID and packet are the value of the capsule. Type, length and value of the capsule are the payload of the DATA frame.',
      ],
      reading: ['RFC 9000 §16, §17.3.1, §19.8', 'RFC 9221 §4', 'RFC 9297 §2.1, §3.2', 'src/carriers/h3/transport.ts'],
    },
    {
      id: 'send-packet',
      title: 'SendPacket, rewritten',
      kind: 'coding',
      measures: true,
      points: 10,
      files: ['send-packet.ts'],
      brief: `
        A published article about _masque-vpn_, a prototype that this platform is modelled on, sends each IP packet on a new stream, "for
        educational clarity". That version is in \`send-packet.ts\`, and it works. Now make it better, and predict first: at 2 % loss, what becomes of a packet that is lost on a stream, and what of those behind it?

        Rewrite the class \`PacketSender\`. It does no input or output: it returns actions, and the check performs them on a real QUIC
        connection, over a link of 200 ms that loses nothing and then 2 % of what you send. Beside yours run the article's version and one that
        puts everything on a single stream.

        **Your packets must be late four times less often than the article's**, at 2 % loss; and at least 94 % of them must be answered. Late is
        what comes 120 ms after the fastest of the three.
      `,
      hints: [
        'What is lost on a stream is sent again, a round trip later or more. Which frames of QUIC are not sent again?',
        'A QUIC datagram begins with the Quarter Stream ID, `varint(requestStream / 4)`, and the Context ID 0.',
        'The MTU is what a datagram holds, less these two.',
        'Without datagrams: `[0, ...varint(packet.length + 1), 0, ...packet]` is the capsule. The DATA frame around it is built the same way, without a Context ID.',
      ],
      reading: [
        'RFC 9221 §5',
        'RFC 9297 §2.1, §3.5',
        'RFC 9000 §2.2',
        'src/carriers/h3/transport.ts, `H3Carrier`, afterwards',
      ],
    },
    {
      id: 'pump',
      title: 'A pump that works in turns',
      kind: 'coding',
      points: 10,
      files: ['pump.ts'],
      brief: `
        Between a network device and the tunnel is a pump: a loop that reads packets and passes them on. To be woken up for each
        packet costs five times as much as the packet. To read until nothing is left costs all others their turn.

        In \`pump.ts\`, write the class \`Pump\`: it drains what is there, from several queues in turn, with a **budget** for each turn of
        the event loop. The queues are edge-triggered: a queue says once that it is readable.

        Judged in virtual time: turns for each packet, packets in a turn, the longest wait in each queue, losses, shares.
      `,
      hints: [
        'Keep a list of the queues that may hold something. `turn` adds to it; `empty` takes out of it.',
        'One packet from the first queue of the list; then this queue goes to the end of the list.',
        'Nothing in the list: `sleep`. Budget used up: `yield`. Else: `read`.',
        'The list lives on from turn to turn. Only the count of packets begins again.',
      ],
      reading: ['epoll(7), "Level-triggered and edge-triggered"', `${HANDOUT}, "Why pumps work in turns"`],
    },
    {
      id: 'path-mtu',
      title: 'How large may a packet be?',
      kind: 'coding',
      points: 10,
      files: ['path-mtu.ts'],
      brief: `
        A packet that is too large for a link of the path is dropped, often in silence. Two things are asked for, in \`path-mtu.ts\`:

        - \`tunnelMtu\`: the largest IP packet that fits into the tunnel, when the largest UDP payload is known. The check compares it with
          \`client.info.mtu\` of live tunnels.
        - \`PathMtuSearch\`: a machine that finds the largest UDP payload by probing (RFC 8899). It is tried in virtual time on paths that
          lose packets, answer late, send false messages, and change.
      `,
      hints: [
        'The tunnel: like `datagramOverhead` of task 2, with the longest packet number there is.',
        'Keep two numbers: `confirmed`, and a ceiling above which nothing needs to be tried. Probe in the middle, rounded up.',
        'In `next`: is a probe on its way, and for how long? Wait; send it again; or, after `maxProbes`, lower the ceiling below it.',
        'An acknowledgement of any size raises `confirmed`, whichever probe is on its way now.',
        'Done when `ceiling - confirmed < granularity`.',
      ],
      reading: ['RFC 8899 §3, §5', 'RFC 9000 §14.2 to §14.4', 'RFC 9221 §4'],
    },
    {
      id: 'histogram',
      title: 'Quantiles of a histogram',
      kind: 'coding',
      points: 10,
      files: ['histogram.ts'],
      brief: `
        The server counts how long packets take in buckets, and Prometheus makes percentiles of them:

        \`\`\`
        histogram_quantile(0.95, masque_vpn_packet_processing_duration_seconds_bucket)
        \`\`\`

        In \`histogram.ts\`, write that function, and \`increase\`, which says what happened between two scrapes. The check compares them with known
        cases, with the server of this lab, and, where a program \`prometheus\` is installed (on Debian, as root: \`apt install prometheus\`), with
        a real one that scrapes that server.
      `,
      hints: [
        'Sort by `le` first, then lift counts that go down. Only then look at the special cases.',
        'The bucket is the first one whose count is at least `q` times the last count.',
        'Lower bound and lower count are those of the bucket before; for the first one both are 0.',
        '`start + (end - start) * (rank - below) / (count - below)`',
      ],
      reading: [
        'prometheus.io/docs: Querying, Functions, histogram_quantile()',
        'prometheus.io/docs: Practices, Histograms and summaries',
        'docs/monitoring.md',
      ],
    },
    {
      id: 'scaling',
      title: 'More and more clients: the knee',
      kind: 'coding',
      measures: true,
      points: 12,
      files: ['scaling.ts', 'answers.toml'],
      brief: `
        One client cannot fill the link: it sends, and waits. Two bring twice as much. At some number of clients that ends: it is the
        **knee**, and who plans a server wants to know it.

        In \`scaling.ts\`, write Little's law, two predictions, and \`findKnee\`, which finds the knee in measurements, of which some are far
        off. And answer the question.

        Live, the check lets 1, 2, 4, 8 and 16 clients work through a link whose bottleneck is known, beside your predictions.
      `,
      questions: [
        {
          id: 'after',
          prompt: 'Beyond the knee, twice as many clients come. What happens?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'Throughput doubles, latency stays as it is.',
            b: 'Throughput stays as it is, latency doubles.',
            c: 'Throughput falls by half, latency stays as it is.',
            d: 'Both stay as they are; what is too much gets lost at once.',
          },
        },
      ],
      hints: [
        'Requests under way = answers per second times seconds for each. The latency is in ms.',
        'Two lines: `clients / base latency`, and `capacity`. The lower one counts.',
        'Latency from throughput: `clients = throughput * latency`, solved for the latency.',
        'Group the points by their number of clients; of each group, median of throughput divided by median of latency; the largest.',
      ],
      reading: [
        `${HANDOUT}, "Before and after the knee"`,
        'J. D. C. Little, L = λW (1961)',
        'L. Kleinrock, power (1979)',
      ],
    },
    {
      id: 'explain',
      title: 'Explain what you have measured',
      kind: 'question',
      points: 8,
      mutants: true,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        Eight questions about what you have seen in tasks 1 to 7. Each wrong letter is an idea that somebody really has. Where you are not
        sure, run the check of the task again, and go through its charts with \`[\` and \`]\`.

        The last one is answered with a number that nobody else has: from **your** run of task 7, which is in \`measured.toml\`.
      `,
      questions: [
        {
          id: 'settings',
          prompt: 'Why does it take two round trips from the end of the handshake until the tunnel is there?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'One is the second half of the handshake, one the request.',
            b: 'One is the request with its response, one the ADDRESS_REQUEST with its answer.',
            c: "One is waiting for the server's SETTINGS, one is the request.",
            d: 'One is the validation of the path, one the request.',
          },
        },
        {
          id: 'streams',
          prompt:
            'At 2 % loss, about 2 % of the packets on streams of their own were late, and hardly any datagram. Why?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'A lost packet holds up the streams that were opened after it.',
            b: 'Lost datagrams are sent again as well, but faster.',
            c: 'Opening a stream takes longer than sending a datagram.',
            d: 'Of the two, only what is lost on a stream is sent again.',
          },
        },
        {
          id: 'reliable',
          prompt: 'TCP runs inside of the tunnel. Is it better to carry its packets reliably?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'No: two that send again make the delays worse that each of them sees.',
            b: 'Yes: what the tunnel has sent again, TCP need not send again; the two complement each other.',
            c: 'It makes no difference: TCP knows that it runs in a tunnel.',
            d: 'It makes no difference: TCP repairs damage by its checksum.',
          },
        },
        {
          id: 'budget',
          prompt: 'What gets worse when the budget of the pump is made ten times as large?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The number of wake-ups for each packet, because turns are longer.',
            b: 'The number of lost packets.',
            c: 'How late timers and acknowledgements can come.',
            d: 'The order of packets.',
          },
        },
        {
          id: 'probe',
          prompt: 'A probe of 1400 bytes brought no answer. Why is it sent again before the size is given up?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'Because it is encrypted, and therefore usually arrives at the second attempt.',
            b: 'Because packets are lost for other reasons than their size.',
            c: 'Because the router has to be given time for its message Packet Too Big.',
            d: 'Because the congestion window was too small.',
          },
        },
        {
          id: 'buckets',
          prompt: 'Three servers have a histogram each. How do you get the 95th percentile of all three together?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The mean of the three 95th percentiles.',
            b: 'The largest of the three 95th percentiles, as that is the worst case.',
            c: 'From the three sums and counts.',
            d: 'The quantile of the buckets, added up by their le.',
          },
        },
        {
          id: 'bound',
          prompt: 'The 0.99-quantile is interpolated to 1.75 ms, in a bucket from 1 to 2.5 ms. What is certain?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The true one is between 1 and 2.5 ms.',
            b: 'The true one is 1.75 ms.',
            c: 'The true one is 1.75 ms, if there were more than 1000 observations.',
            d: 'The true one is at least 1.75 ms.',
          },
        },
        {
          id: 'waiting',
          prompt:
            'In your run of task 7: with 16 clients, how many requests on average were waiting in the queue, and not on their way there or back?',
          placeholder: 'a number',
        },
      ],
      hints: [
        'Each question belongs to a task, in their order: settings 1, streams and reliable 3, budget 4, probe 5, buckets and bound 6, waiting 7.',
        'streams: which packets are late on a single stream, and which when each has a stream of its own?',
        'buckets: what is cumulative can be added up. What is a percentile cannot.',
        "waiting: Little's law, twice. With 16 clients 16 requests are under way. How many of them are on the link, at this throughput, if each is there as long as the one of a client that is alone?",
      ],
      reading: [HANDOUT],
    },
    {
      id: 'break-search',
      title: 'Break the search',
      kind: 'coding',
      points: 6,
      files: ['break-search.ts'],
      answerIsTest: true,
      brief: `
        Now the other way round: the code is given, and you write what finds its mistakes. The proxy runs a search like that of task 5, in
        \`src/quic/path-mtu.ts\`. Its comments say what it promises.

        In \`break-search.ts\`, write a **test** of it. The check has the sound search and eight that are broken, each in one place. Your test has
        to return for the sound one, in whatever way that is written, and to throw for each of the others. It says in words what is wrong
        with those that you have not found out; the code it keeps to itself.
      `,
      hints: [
        'One function for each promise. What would have to happen, and in which order, so that a search that breaks it does something else?',
        'A path is a number: acknowledge what is at most as large, lose what is larger, until the search has settled. Do that for every size.',
        'A count that is never begun again shows up late: two losses, an acknowledgement, one loss.',
        'Three ways to be asked again: `dueAt` ten minutes later, `suspect` with three losses, `onStall`.',
      ],
      reading: ['src/quic/path-mtu.ts', 'RFC 8899 §4.3, §5.1', 'nodejs.org/api/assert.html'],
    },
    {
      id: 'whole',
      title: 'Your parts in the proxy',
      kind: 'live',
      measures: true,
      points: 10,
      mutants: true,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        Tasks 3, 4 and 5 again, all at once and for real: the check starts a proxy whose packets towards the clients go through **your**
        \`Pump\`, **your** \`PacketSender\` and **your** \`PathMtuSearch\`, from \`pump.ts\`, \`send-packet.ts\` and \`path-mtu.ts\`.

        \`\`\`
        busy client   narrow path -----+
                                       proxy, 250 packets/s --- library
        quiet client  8 % lost down ---+
        \`\`\`

        Both clients have a queue of 64 packets. First both ping; then the busy one is flooded with 500 packets/s for six seconds. **Before** yours, the check runs
        naive parts: a queue is drained before the next one, each packet has a stream of its own, and nobody looks for the MTU.

        **Predict first**, both numbers. Then run the check: it measures, keeps the figures in \`measured.toml\`, and shows them. Then answer
        the other questions, **with the numbers of your run**, and check again.
      `,
      questions: [
        {
          id: 'busy',
          prompt:
            'Prediction: in the flood, the quiet client has 40 answers a second. How many packets a second does your pump pass for the busy one?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'late',
          prompt: 'Prediction: of 100 answers that reach the quiet client, how many come late with your PacketSender?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'queue',
          prompt:
            'In the flood, the queue of the busy client was full. How long did a packet wait in it, with your pump? From the figures of your run, in ms.',
          placeholder: 'a number',
        },
        {
          id: 'fewer',
          prompt:
            'How many packets fewer does the proxy need now to send the busy client a file of 1,000,000 bytes in UDP over IPv4? From the two MTUs of your run.',
          placeholder: 'a number',
        },
        {
          id: 'unfair',
          prompt: 'Before, hardly an answer reached the quiet client in the flood. Where were they?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'On the link, behind the packets of the busy client.',
            b: 'In QUIC, whose congestion control gave the quiet connection no room.',
            c: 'Nowhere: the library was too busy with the other client to answer.',
            d: 'In a queue that the pump did not come to.',
          },
        },
      ],
      hints: [
        'A part that is wrong here though its own task is solved: is there something in it that all objects of the class share? Here there are two tunnels at a time.',
        'The busy client gets what the quiet one leaves of 250.',
        "queue: Little's law. Both numbers are of this queue: how many packets are in it, and how many leave it in a second.",
        'fewer: the MTU is that of a whole IP packet. 28 bytes of it are headers.',
      ],
      reading: [`${HANDOUT}, "Your parts in the proxy"`, 'RFC 9484 §10', 'src/server/packet-processor.ts'],
      timeoutMs: 240_000,
    },
    {
      id: 'carriers',
      title: 'Three carriers',
      kind: 'question',
      measures: true,
      points: 8,
      mutants: true,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        The same tunnel can be carried in three ways: HTTP/3 with **datagrams**, HTTP/3 with everything on **one stream**, and **HTTP/2**, where a network lets
        no UDP through. What does each of them do to the packets inside, when nothing is lost, and when 2 % is?

        \`\`\`
                          0 % loss      2 % of what the client sends
        h3 datagrams      measured      measured
        h3 stream         measured      measured
        h2                measured      you reason
        \`\`\`

        The last field cannot be measured honestly here: our links lose UDP datagrams, and a link for TCP that is no kernel could only
        lose what TCP has acknowledged long since. So reason, from what is measured.

        Through each tunnel goes a ping every 20 ms, over a round trip of 200 ms. Late is a reply that comes more than 50 ms after that of the same moment over
        the clean link. **Predict first**. Then run the check: when the first four answers are right, it measures all five at once, for a
        quarter of a minute, and keeps the figures in \`measured.toml\`. Then **explain** them in the last two answers, and check again.
      `,
      questions: [
        {
          id: 'clean',
          prompt: 'Nothing is lost. How do the medians of the round trip compare?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The stream is slower by the time that packets wait for their turn.',
            b: 'All three are about equal, and as long as the link.',
            c: 'HTTP/2 is slower by a round trip, the other two are equal.',
            d: 'Datagrams are faster by half a round trip, the other two are equal.',
          },
        },
        {
          id: 'late',
          prompt:
            'Prediction: 2 % of what the client sends are lost. Of 100 pings on the stream, how many replies are late?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'price',
          prompt: 'At 2 % loss, the datagrams have the shortest tail. What do they pay for it?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'Two of 100 pings have no reply at all.',
            b: 'Their congestion control slows down more than that of a stream.',
            c: 'Packets come out of the tunnel in another order.',
            d: 'More bytes around each packet.',
          },
        },
        {
          id: 'h2',
          prompt: 'And h2 at 2 % loss, which was not measured: what would you see?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'About what the datagrams show: in HTTP/2 each request has a stream of its own.',
            b: 'What is seen without loss: TCP sends again, before anybody outside of it notices.',
            c: 'Nothing for long: the connection ends, and the client connects again and again.',
            d: 'About what the one stream shows, for all requests of the connection.',
          },
        },
        {
          id: 'blocked',
          prompt:
            'Once measured: on the stream at 2 % loss, how many replies were late for each datagram that was lost?',
          placeholder: 'a number, such as 4.56',
        },
        {
          id: 'tail',
          prompt:
            'Once measured: at 2 % loss, by how many round trips is the 99th percentile on the stream above that of the datagrams?',
          placeholder: 'a number, such as 1.23',
        },
      ],
      hints: [
        'late: a lost packet is sent again when 9/8 of a round trip have passed (RFC 9002 §6.1.2). Until then, how many pings follow it?',
        'late: the ping behind the lost one waits for 20 ms less than it, the next one for 40 ms less. How many wait for more than 50 ms? And with which probability was none of so many packets lost?',
        'h2: what is below all streams of HTTP/2, and in which order does it hand over its bytes?',
        'blocked, tail: all that you need is in the section `[[carriers]]` of `measured.toml`.',
      ],
      reading: [`${HANDOUT}, "Three carriers"`, 'RFC 9002 §6.1', 'RFC 9221 §5', 'RFC 9113 §5'],
      timeoutMs: 120_000,
    },
    {
      id: 'kernel',
      title: 'TCP through real interfaces',
      kind: 'question',
      measures: true,
      points: 0,
      optional: true,
      mutants: true,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        The packets that you have measured so far were made in memory. Now they come from the **operating system**: a TCP connection between two
        kernels, over TUN devices. This needs Linux with namespaces for users; where that is missing, the check says so in one line, and you
        have lost nothing.

        \`\`\`
        npm run testbed -- --run 'curl -o /dev/null 198.51.100.2/bytes/20000000'
        npm run testbed -- --run 'iperf3 -c 198.51.100.2 -R'    # if there is one
        npm run testbed -- --run 'ip link'
        \`\`\`

        **Predict first** how fast it is. Then run the check: it downloads 20 MB in a network of its own, counts at both interfaces of the client,
        masque0 (in the tunnel) and c0 (the cable), keeps the figures in \`measured.toml\`, and shows them. Then answer the other questions, **with the
        numbers of your run**, and check again.
      `,
      questions: [
        {
          id: 'speed',
          prompt: 'Prediction: how many Mbit/s does the download reach?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'segment',
          prompt:
            'How many bytes of the file does a full packet in masque0 carry? From the MTU of your run; IPv4, and TCP with its timestamps.',
          placeholder: 'a number',
        },
        {
          id: 'overhead',
          prompt: 'How many percent more bytes came in at c0 than the file has? From the figures of your run.',
          placeholder: 'a number, such as 3.21',
        },
        {
          id: 'slower',
          prompt:
            '`npm run bench -- tunnel` gets more packets a second through the same tunnel. Why does the download get fewer?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'TCP leaves half of a path to others, so that it is fair to them.',
            b: 'A pair of veth devices is no faster than the cable that it stands for.',
            c: 'Each packet costs calls of the system, and is acknowledged.',
            d: 'Everything is encrypted twice: once by TCP, once by QUIC.',
          },
        },
      ],
      hints: [
        'segment: the header of IPv4 has 20 bytes, that of TCP 20, and the timestamps 12.',
        'overhead: outside minus file, divided by the file.',
        'slower: what does a packet go through between a program and our process that it did not go through when our process made it itself?',
      ],
      reading: ['docs/tun.md', 'RFC 9293 §3.7.1 Maximum Segment Size Option', 'RFC 7323 §3'],
      timeoutMs: 180_000,
    },
  ],
})
