/**
 * Lab 3 as data. The check of each task is in `checks/`, under its name.
 *
 * All coding tasks go the same way. Known vectors come first (those of the RFC, where it has some), then inputs generated
 * from the student's seed, then what a hostile peer would send. The student's functions run in a process of their own
 * (`context.student`); `src/` is the reference that their results are compared with.
 */
import { defineLab } from '../kit/lab/declare.ts'

export const lab = defineLab({
  at: import.meta.url,
  id: 'lab-03-protocol',
  number: 3,
  title: 'Take the protocol apart',
  summary: 'Write the pieces of a CONNECT-IP endpoint yourself, byte by byte, and ping through a tunnel with them.',
  objectives: [
    'read and write the wire formats of QUIC, HTTP/3, capsules and IP from their RFCs',
    'write parsers that survive any split of the input and every hostile byte',
    'explain what each byte of a CONNECT-IP tunnel is for',
    'read a decrypted QUIC capture',
  ],
  prerequisites: ['TypeScript: functions, classes, Uint8Array, bigint', 'hexadecimal and binary numbers', 'lab 1'],
  minutes: 240,
  panel: async () => (await import('./ui.tsx')).Bytes,
  capture: async () => await import('./capture/open.ts'),
  reading: ['RFC 9484', 'RFC 9297', 'RFC 9114 §4, §6, §7', 'RFC 9204 §4', 'RFC 9000 §16'],
  tasks: [
    {
      id: 'varint',
      title: 'Variable-length integers',
      kind: 'coding',
      points: 8,
      files: ['varint.ts'],
      brief: `
        Nearly every number in QUIC, HTTP/3 and the Capsule Protocol is a **varint**: the two upper bits of its first byte
        say how long it is.

        \`\`\`
        25                        00 100101                    37
        7b bd                     01 111011 10111101           15293
        9d 7f 3e 7d               10 011101 01111111 ...       494878333
        c2 19 7c 5e ff 14 e8 8c   11 000010 00011001 ...       151288809941952652
        \`\`\`

        In \`varint.ts\`, write \`varintLength\`, \`encodeVarint\` and \`decodeVarint\`. The comments there say what each takes and
        returns. Numbers have up to 62 bits, JavaScript's are exact up to 53, and its bit operators know only 32: so
        use \`bigint\`.

        A varint whose end has not arrived yet is no error: \`decodeVarint\` returns \`undefined\`. The next task needs that.
      `,
      hints: [
        'The length is a power of two, and the two bits are its exponent: `1 << (first >> 6)`.',
        'Put a number together from the left: `value = (value << 8n) | BigInt(byte)`. Begin with the lower six bits of the first byte.',
        'To write, take bytes off the right: `Number(rest & 0xffn)`, then `rest >>= 8n`, from the last byte to the first. Set the two upper bits at the end.',
      ],
      reading: ['RFC 9000 §16 Variable-Length Integer Encoding', 'RFC 9000 §A.1', 'src/bytes/varint.ts, afterwards'],
    },
    {
      id: 'capsules',
      title: 'A capsule parser that survives any split',
      kind: 'coding',
      points: 12,
      files: ['capsules.ts'],
      brief: `
        On the stream of an accepted CONNECT-IP request both sides speak **capsules**: type, length, value. But a stream is
        a stream of bytes. What was sent as two capsules may arrive as one piece, as five, or byte by byte:

        \`\`\`
        sent      01 03 aa bb cc            02 01 dd
        arrives   01          03 aa bb              cc 02 01       dd
        \`\`\`

        In \`capsules.ts\`, write \`encodeCapsule\` and the class \`CapsuleParser\`. It

        - gives out capsules as soon as they are complete, however the stream was cut;
        - **skips** capsules of unknown types, however large, without keeping them;
        - refuses known capsules above a limit as soon as their length is known;
        - says at the end of the stream whether it ended inside a capsule.
      `,
      hints: [
        'Begin simple: keep what is incomplete, put new bytes behind it, and try again from its beginning. That is correct for everything but the unknown types.',
        'For an unknown type, remember how many bytes of the value are still to be skipped (a bigint: it may be 2^62 - 1), and forget the bytes.',
        'One call may complete several capsules, or end an unknown one and begin the next: a loop that ends when nothing complete is left.',
        'The parser is inside a capsule when bytes are kept, or when bytes remain to be skipped.',
      ],
      reading: ['RFC 9297 §3.2', 'RFC 9297 §3.3 Error Handling', 'src/connect-ip/capsule.ts, afterwards'],
    },
    {
      id: 'addresses',
      title: 'ADDRESS_ASSIGN and ADDRESS_REQUEST',
      kind: 'coding',
      points: 10,
      files: ['addresses.ts'],
      brief: `
        The first thing that a client needs is an address. It asks in an ADDRESS_REQUEST capsule, and the proxy answers in
        an ADDRESS_ASSIGN capsule. The value of both is a list of entries:

        \`\`\`
        05            Request ID 5 (a varint)
        04            IP version 4
        0a 59 01 00   10.89.1.0
        18            prefix length 24
        \`\`\`

        In \`addresses.ts\`, write \`encodeAddresses\`, \`decodeAddressAssign\` and \`decodeAddressRequest\`. Decoding well-formed
        capsules is half of the work. The other half is to **refuse the malformed**: what a parser lets through, the code behind
        it believes. The comments list the rules.
      `,
      hints: [
        'Read one entry at an offset, and return it with the offset behind it. Call that until the offset is the end of the value.',
        'Before each field: is it all there? For a Request ID, `decodeVarint` says so by `undefined`.',
        'The bit number `i` of an address, from the left: `address[i >> 3] & (0x80 >> (i & 7))`. All bits from the prefix length on have to be 0.',
        'An ADDRESS_REQUEST is an ADDRESS_ASSIGN with three more rules: decode it as one, then check them.',
      ],
      reading: ['RFC 9484 §4.7.1', 'RFC 9484 §4.7.2', 'src/connect-ip/address-entry.ts, afterwards'],
    },
    {
      id: 'routes',
      title: 'ROUTE_ADVERTISEMENT',
      kind: 'coding',
      points: 10,
      files: ['routes.ts'],
      brief: `
        By a ROUTE_ADVERTISEMENT capsule the proxy says which packets it is willing to forward: a list of address ranges, each
        for one IP protocol or for all of them. The list has to be **in order**:

        \`\`\`
        IPv4   any    10.0.0.0 - 10.0.0.255
        IPv4   any    10.0.1.0 - 10.0.1.9      begins after the one before has ended
        IPv4   UDP    9.0.0.0  - 9.0.0.99      another protocol: begins anew
        IPv6   any    fd00::   - fd00::ff      IPv6 after IPv4
        \`\`\`

        In \`routes.ts\`, write \`compareAddresses\`, \`encodeRoutes\`, \`decodeRoutes\` and \`mayForward\`.
      `,
      hints: [
        'Compare byte by byte from the left. The first two bytes that differ decide; no need for larger numbers, nor for signs.',
        'One function that compares two routes (version, then protocol, then start) sorts when encoding and checks the order when decoding.',
        'Two ranges of one version and protocol are disjoint when the end of the first is **below** the start of the second.',
        'An address is inside a range when neither the start is above it nor the end below it.',
      ],
      reading: ['RFC 9484 §4.7.3', 'src/connect-ip/route-advertisement.ts, afterwards'],
    },
    {
      id: 'http3',
      title: 'SETTINGS and Extended CONNECT',
      kind: 'coding',
      points: 16,
      files: ['http3.ts'],
      brief: `
        Before there is a tunnel there is HTTP/3. Each side opens a control stream and says in SETTINGS what it supports. Then
        the client sends the request that becomes the tunnel, an **Extended CONNECT**:

        \`\`\`
        :method            CONNECT
        :protocol          connect-ip
        :scheme            https
        :authority         proxy.example:4433
        :path              /.well-known/masque/ip/*/*/
        capsule-protocol   ?1
        \`\`\`

        QPACK writes such a header section in few bytes. \`:method: CONNECT\` is one byte, \`cf\`: entry 15 of a table that both
        sides have. \`:path\` and a path of ours are \`51\` (the name of entry 1), the length, and the text.

        In \`http3.ts\`, write frames, SETTINGS, QPACK's integers, \`encodeHeaders\` and \`decodeHeaders\`. The static table and a
        Huffman decoder are given.
      `,
      hints: [
        'Write and check the functions in the order of the file: each check of the task goes one function further.',
        'The first bits of a line say its form. `0xc0 | index` for a whole entry, `0x50 | index` for the name of one, `0x20 | length` for a name in full: as long as the number fits its prefix; `encodeInteger` takes care of that.',
        'To decode, a small class that remembers where it is (`byte()`, `integer(prefixBits)`, `string(prefixBits)`) makes the rest short.',
        'Where is the Huffman bit? Directly before the length: `1 << prefixBits`.',
        'An integer may have many continuation bytes. Stop when the value is beyond anything that could be meant, such as 2^32.',
      ],
      reading: [
        'RFC 9114 §6.2.1, §7.1, §7.2.4',
        'RFC 9204 §4.5, and the example in §B.1',
        'RFC 7541 §5.1 and Appendix C.1',
        'RFC 9484 §4.4',
        'src/http3/qpack/, afterwards',
      ],
    },
    {
      id: 'datagrams',
      title: 'HTTP Datagrams',
      kind: 'coding',
      points: 8,
      files: ['datagrams.ts'],
      brief: `
        An IP packet does not go through the tunnel on a stream, where the loss of one packet would hold up all that follow. It
        goes in a QUIC datagram, behind two small numbers:

        \`\`\`
        01              Quarter Stream ID 1: the request on stream 4
        00              Context ID 0: an IP packet follows
        45 00 00 54 …   the IP packet
        \`\`\`

        In \`datagrams.ts\`, write \`encodeDatagram\`, \`decodeDatagram\` and \`packetFor\`.
      `,
      hints: [
        'A datagram is not a stream: it comes as a whole or not at all. So one that ends too early is malformed, not incomplete.',
        'Requests are on streams 0, 4, 8 …; any other id in `encodeDatagram` is a mistake of the caller.',
        'Unknown context ids are how the protocol will grow. They are dropped, without an error.',
      ],
      reading: ['RFC 9297 §2.1', 'RFC 9484 §6', 'src/http3/datagram.ts, src/connect-ip/context.ts, afterwards'],
    },
    {
      id: 'ipv4',
      title: 'IPv4: checksum and TTL',
      kind: 'coding',
      points: 10,
      files: ['ipv4.ts'],
      brief: `
        A CONNECT-IP proxy is a router. A packet that it forwards into the tunnel has one hop less to live, and that changes the
        header, and so the header checksum. A router does not add up all of the header again for that: it **updates** the
        checksum by the difference.

        \`\`\`
        before   45 00 00 54 00 00 40 00  40 01 b5 57 …     TTL 64
        after    45 00 00 54 00 00 40 00  3f 01 b6 57 …     TTL 63
        \`\`\`

        In \`ipv4.ts\`, write \`internetChecksum\`, \`updateChecksum\`, \`checkIpv4\` and \`decrementTtl\`.
      `,
      hints: [
        "One's complement addition: add as usual, then, while there is anything above bit 15, add that to the lower 16 bits.",
        'The complement of 16 bits is `~word & 0xffff`: `~` alone gives 32 bits and a sign.',
        'The TTL is byte 8. Its word is bytes 8 and 9: TTL in the upper half, protocol in the lower one.',
        'Over a header with its correct checksum in it, `internetChecksum` is 0. How many bytes the header has says IHL.',
      ],
      reading: ['RFC 791 §3.1', 'RFC 1071', 'RFC 1624', 'src/ip/checksum.ts, src/ip/ipv4.ts, afterwards'],
    },
    {
      id: 'ipv6',
      title: 'IPv6: the extension header walk',
      kind: 'coding',
      points: 8,
      files: ['ipv6.ts'],
      brief: `
        IPv6 has no options in its header. It has extension headers between the header and the upper layer, in a chain: each
        names what follows it. Who wants to know whether a packet is UDP has to walk along.

        \`\`\`
        60 … 2b …     IPv6 header, next: 43
        3c 00 …       Routing, 8 bytes, next: 60
        11 01 …       Destination Options, 16 bytes, next: 17
        c3 50 00 35 … UDP
        \`\`\`

        In \`ipv6.ts\`, write \`upperLayer\`. Each length in the chain is a claim by whoever sent the packet.
      `,
      hints: [
        'Two variables are enough: what comes next, and where. Go on while what comes next is an extension header.',
        'Three lengths: `(n + 1) * 8` for most, 8 for Fragment, `(n + 2) * 4` for AH.',
        'Each step moves at least 8 bytes forward, and never beyond the end of the packet: so the loop ends.',
        'Fragment Offset is the upper 13 bits of bytes 2 and 3 of the Fragment header.',
      ],
      reading: ['RFC 8200 §4', 'RFC 9484 §4.8', 'src/ip/ipv6.ts, afterwards'],
    },
    {
      id: 'too-big',
      title: 'Packet too big',
      kind: 'coding',
      points: 10,
      files: ['too-big.ts'],
      brief: `
        A packet has to fit into one QUIC datagram, and that into one UDP packet. What does not fit is dropped (IPv4 without the flag DF is
        sent in pieces); its sender must be told **how large** a packet may be, or its connections hang in silence ("black hole").

        IPv4 and IPv6 have different messages for it, with different checksums, and both quote the packet. And there are packets
        about which no error may be sent at all.

        In \`too-big.ts\`, write \`packetTooBig\`. It returns a whole IP packet. You have the checksum from task 7 and the extension
        headers from task 8.
      `,
      hints: [
        'Build the ICMP message first, with 0 for its checksum; then the checksum; then the IP header before it.',
        'The pseudo header needs no place in the packet: put it before the message for the calculation only.',
        '576 - 20 - 8 bytes of the packet are quoted in IPv4, 1280 - 40 - 8 in IPv6; all of it when it is shorter.',
        'The type of an ICMP message is its first byte: at IHL * 4 in IPv4, at `upperLayer(packet).offset` in IPv6.',
      ],
      reading: ['RFC 4443 §2.4, §3.2', 'RFC 1191 §4', 'RFC 1812 §4.3.2', 'src/ip/icmp-error.ts, afterwards'],
    },
    {
      id: 'live',
      title: 'Your code in a live tunnel',
      kind: 'live',
      points: 14,
      mutants: true,
      files: ['endpoint.ts'],
      // Nearly always a few seconds: but connect-ip-go has to be compiled once.
      brief: `
        Now all of it together. In \`endpoint.ts\`, write the class \`Endpoint\`, and \`ping\` and \`answer\`. Then the check starts a real
        proxy, opens a QUIC connection to it, and lets **your code** be the client: every byte on the streams and in the datagrams of
        the tunnel is written and read by it.

        \`\`\`
        you                                              proxy           library
         |  SETTINGS                                       |                |
         |<----------------------------------------------->|                |
         |  HEADERS: Extended CONNECT                      |                |
         |------------------------------------------------>|                |
         |                                 HEADERS: 200    |                |
         |<------------------------------------------------|                |
         |  DATA: ADDRESS_REQUEST                          |                |
         |------------------------------------------------>|                |
         |      DATA: ADDRESS_ASSIGN, ROUTE_ADVERTISEMENT  |                |
         |<------------------------------------------------|                |
         |  DATAGRAM: ping                                 |                |
         |------------------------------------------------>|--------------->|
         |                                DATAGRAM: reply  |                |
         |<------------------------------------------------|<---------------|
        \`\`\`

        At the end another client pings you, and your \`answer\` replies.
      `,
      hints: [
        'Each method is a few lines that call what you have: `request` is `encodeFrame(FrameType.HEADERS, encodeHeaders(connectIpRequest(…)))`.',
        '`receive` is the capsule parser once more: keep what is incomplete of a type, a length or a HEADERS frame, and remember how much of any other frame is still to come. What has come of a DATA frame goes to the one `CapsuleParser` at once.',
        'An ICMP message begins behind the IP header: at `(packet[0] & 15) * 4`.',
        'To answer, copy the message, set its type to 0 and its checksum to 0, then calculate the checksum.',
      ],
      reading: [
        'RFC 9484 §4',
        'RFC 9114 §7.1',
        'RFC 792',
        'src/client/client-tunnel.ts, src/carriers/h3/transport.ts, afterwards',
      ],
    },
    {
      id: 'capture',
      title: 'Read a capture',
      kind: 'question',
      points: 8,
      mutants: true,
      files: ['answers.toml'],
      brief: `
        At last, look at a tunnel from outside. The check of this task records a session for you: a client, a proxy, and every UDP packet
        between them, with the keys. **Run the check once**; it leaves in \`exercises/capture/\`

        - \`session.pcapng\`, which Wireshark opens and decrypts (the keys are inside);
        - \`session.keys\`, the same keys as a file of their own (\`SSLKEYLOGFILE\`);
        - \`session.txt\`, the decrypted QUIC frames as hexadecimal numbers, if you have no Wireshark.

        What is in it depends on a name. Write yours into \`answers.toml\`, under \`[capture]\`, as \`name\`, and run the check again.

        The client does a few plain requests, then opens a tunnel, asks for an address, and pings. One of its datagrams is not an IP
        packet. Then it closes the connection with an error code. Read the session, and answer. You wrote all the decoders that you
        need.
      `,
      questions: [
        {
          id: 'name',
          prompt: 'The name under which you hand in, or a part of it. The session depends on it.',
          placeholder: 'ada',
        },
        { id: 'stream', prompt: 'On which stream is the CONNECT-IP request?', placeholder: 'a stream id' },
        {
          id: 'settings',
          prompt: 'Which SETTINGS_MAX_FIELD_SECTION_SIZE (0x06) does the client announce?',
          placeholder: 'a number',
        },
        { id: 'address', prompt: 'Which address does the proxy assign to the client?', placeholder: '10.0.0.1' },
        {
          id: 'context',
          prompt: 'One datagram of the client is not an IP packet. Which Context ID does it have?',
          placeholder: 'a number',
        },
        { id: 'datagrams', prompt: 'How many DATAGRAM frames does the client send?', placeholder: 'a number' },
        {
          id: 'error',
          prompt: 'With which error code does the client close the connection?',
          placeholder: '0x100, or the name of the error',
        },
      ],
      hints: [
        'In Wireshark, filter by `http3` for streams, and by `quic.frame_type == 0x31 || quic.frame_type == 0x30` for datagrams. In `session.txt`, the frame types are in words.',
        'The client is 192.0.2.10. Streams 2 and 3 are the control streams of client and proxy: stream type, then a SETTINGS frame.',
        'ADDRESS_ASSIGN is a capsule of type 0x01 in a DATA frame (0x00) of the proxy, on the stream of the request.',
        'An IP packet in a datagram begins behind two small numbers with 45. In one datagram it does not; and its Context ID takes more than one byte, if it is above 63.',
        'Every number is a varint: mask the two upper bits of its first byte.',
      ],
      reading: [
        'labs/lab-03-protocol/README.md, "Reading the capture"',
        'RFC 9000 §19 Frame Types and Formats',
        'RFC 9221 §4 Datagram Frame Types',
      ],
    },
    {
      id: 'break-bucket',
      title: 'Break the bucket',
      kind: 'coding',
      points: 6,
      files: ['break-bucket.ts'],
      answerIsTest: true,
      brief: `
        Now the other way round: the code is given, and you write what finds its mistakes. Whoever answers bad packets with ICMP errors
        answers a flood of them with another flood, unless something limits it (RFC 4443 §2.4). In the proxy that is the token bucket in
        \`src/ip/token-bucket.ts\`, one for each tunnel. Its comments say what it promises.

        In \`break-bucket.ts\`, write a **test** of it. The check has the sound bucket and eight that are broken, each in one place. Your
        test has to return for the sound one, in whatever way that is written, and to throw for each of the others. It says in words what
        is wrong with those that you have not found out; the code it keeps to itself.
      `,
      hints: [
        'One function for each promise. What would have to happen, and in which order, so that a bucket that breaks it does something else?',
        'The clock is a number of yours: half the time for a token, twice. A long time, then everything at once. And backwards.',
        'A clock that has jumped back is tried twice: at that moment, and a little later.',
      ],
      reading: ['src/ip/token-bucket.ts', 'RFC 4443 §2.4 (f)', 'nodejs.org/api/assert.html'],
    },
  ],
})
