/** Wrong solutions of `migration`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('migration.ts', {
  'no-challenge': {
    misconception: 'the first ping leaves on the new path at once',
    says: 'has to answer the challenge',
    edits: [['const firstReply = roundTripMs + roundTripMs', 'const firstReply = roundTripMs']],
  },
  'silent-at-once': {
    misconception: 'the silence begins when the old path goes',
    says: 'the silence begins only then',
    edits: [['return firstReply - lastReply', 'return firstReply']],
  },
  'both-challenges': {
    misconception: 'the client waits until the proxy has validated it',
    says: 'need not wait for the challenge of the proxy',
    edits: [['const firstReply = roundTripMs + roundTripMs', 'const firstReply = 3 * roundTripMs']],
  },
  'rebinding-one-way': {
    misconception: 'the silence of a rebinding is the way to the proxy',
    says: 'and the reply to it for the other half',
    edits: [['return behindNatMs', 'return behindNatMs / 2']],
  },
  'rebinding-validated-first': {
    misconception: 'the proxy sends nothing before the new port is validated',
    says: 'the challenge costs no time',
    edits: [['return behindNatMs', 'return 2 * behindNatMs']],
  },
  'no-idle-timeout': {
    misconception: 'a dead session is noticed at once',
    says: 'notices by nothing but silence',
    edits: [['return idleTimeoutMs + pauseMs + 4 * roundTripMs', 'return pauseMs + 4 * roundTripMs']],
  },
  'no-first-ping': {
    misconception: 'the tunnel is there, so the silence is over',
    says: 'the first ping takes one more round trip',
    edits: [['+ 4 * roundTripMs', '+ 3 * roundTripMs']],
  },
  'handshake-and-ping': {
    misconception: 'a tunnel is there after the handshake',
    says: 'waits for the SETTINGS',
    edits: [['+ 4 * roundTripMs', '+ 2 * roundTripMs']],
  },
  'waits-for-validation': {
    misconception: 'the proxy moves only when the new address is validated',
    says: 'nobody hears at the old address any more',
    edits: [
      [
        'if (!event.probing && event.number > highest) {',
        'if (!event.probing && event.number > highest && peer(event.from).validated) {',
      ],
    ],
  },
  'probes-move': {
    misconception: 'every packet from another address moves the connection',
    says: 'only probes a path does not move anything',
    edits: [['if (!event.probing && event.number > highest) {', 'if (event.number > highest) {']],
  },
  'latest-arrival': {
    misconception: 'what arrives last was sent last',
    says: 'packets overtake each other',
    edits: [['if (!event.probing && event.number > highest) {', 'if (!event.probing) {']],
  },
  'probes-count': {
    misconception: 'the numbers of probes count, too',
    says: 'says nothing about where the client sends from',
    edits: [
      [
        `if (!event.probing && event.number > highest) {
        highest = event.number
        address = event.from
      }`,
        `if (!event.probing && event.number > highest) address = event.from
        highest = Math.max(highest, event.number)`,
      ],
    ],
  },
  'no-limit': {
    misconception: 'there is no limit before an address is validated',
    says: 'could be used to flood others',
    edits: [['validated ? Number.POSITIVE_INFINITY : Math.max(0, 3 * received - sent)', 'Number.POSITIVE_INFINITY']],
  },
  'never-used-up': {
    misconception: 'what was sent does not count',
    says: 'less what was sent there already',
    edits: [['Math.max(0, 3 * received - sent)', '3 * received']],
  },
  'as-much-as-came': {
    misconception: 'as much as came, and not three times',
    says: 'not as much as came',
    edits: [['Math.max(0, 3 * received - sent)', 'Math.max(0, received - sent)']],
  },
  'negative-room': {
    misconception: 'room below 0',
    says: 'no negative number of bytes',
    edits: [['Math.max(0, 3 * received - sent)', '3 * received - sent']],
  },
  'probes-bring-no-room': {
    misconception: 'bytes of probes do not count',
    says: 'those of probes as well',
    edits: [
      ['peer(event.from).received += event.bytes', 'if (!event.probing) peer(event.from).received += event.bytes'],
    ],
  },
  'any-response': {
    misconception: 'any response validates',
    says: 'Who only guesses has proved nothing',
    edits: [
      [
        'if (proven !== undefined) peer(proven).validated = true',
        'if (proven !== undefined) peer(proven).validated = true\nelse if (event.response !== undefined) peer(event.from).validated = true',
      ],
    ],
  },
  'every-response': {
    misconception: 'whatever a response says, it validates the address that it comes from',
    says: 'not for the one that it comes from',
    edits: [
      [
        'if (proven !== undefined) peer(proven).validated = true',
        'if (event.response !== undefined) peer(event.from).validated = true',
      ],
    ],
  },
  'response-from-there': {
    misconception: 'a response validates the address that it comes from',
    says: 'whichever path it comes back on',
    edits: [
      [
        'if (proven !== undefined) peer(proven).validated = true',
        'if (proven !== undefined) peer(event.from).validated = true',
      ],
    ],
  },
  'validated-by-being-heard': {
    misconception: 'an address that is heard twice is validated',
    says: 'not by being heard',
    edits: [
      [
        'peer(event.from).received += event.bytes',
        'if (peers.has(event.from)) peer(event.from).validated = true\npeer(event.from).received += event.bytes',
      ],
    ],
  },
  'validated-once': {
    misconception: 'whoever comes back is validated again',
    says: 'needs no second proof',
    edits: [
      [
        'highest = event.number',
        'if (event.from !== address && proven === undefined) peer(event.from).validated = false\nhighest = event.number',
      ],
    ],
  },
  'never-back': {
    misconception: 'the proxy stays where nobody has answered',
    says: 'goes back to the last validated address',
    edits: [['address = lastValidated', '']],
  },
  'back-from-anywhere': {
    misconception: 'every challenge that was given up moves the proxy back',
    says: 'ends nothing at an address that is validated',
    edits: [['} else if (challenged.get(event.challenge) === address && !peer(address).validated) {', '} else {']],
  },
  'back-to-the-last-proven': {
    misconception: 'back is the address that was validated last, in use or not',
    says: 'only probed has answered',
    edits: [
      [
        'if (proven !== undefined) peer(proven).validated = true',
        'if (proven !== undefined) { peer(proven).validated = true; lastValidated = proven }',
      ],
      ['if (peer(address).validated) lastValidated = address', ''],
    ],
  },
  'back-to-the-first': {
    misconception: 'back is where the handshake came from',
    says: 'need not be the first of the connection',
    edits: [['address = lastValidated', 'address = first']],
  },
  'by-address': {
    misconception: 'a connection is its addresses',
    says: 'that is how TCP finds a connection',
    file: 'answers.toml',
    edits: [['finds = "b"', 'finds = "a"']],
  },
  'by-packet-number': {
    misconception: 'a connection is found by packet number',
    says: 'how many packets there were',
    file: 'answers.toml',
    edits: [['finds = "b"', 'finds = "c"']],
  },
  'proves-the-client': {
    misconception: 'who answers a challenge knows who has sent it',
    says: 'from an address that is not theirs',
    file: 'answers.toml',
    edits: [['proves = "c"', 'proves = "a"']],
  },
  'proves-both': {
    misconception: 'one challenge is enough for both sides',
    says: 'there are two challenges',
    file: 'answers.toml',
    edits: [['proves = "c"', 'proves = "b"']],
  },
  'asked-again': {
    misconception: 'a move is a reconnect',
    says: 'what a client does after a reconnect',
    file: 'answers.toml',
    edits: [['inner = "a"', 'inner = "b"']],
  },
  translated: {
    misconception: 'the tunnel is a NAT',
    says: 'translates none for it',
    file: 'answers.toml',
    edits: [['inner = "a"', 'inner = "d"']],
  },
  'lost-on-the-way-up': {
    misconception: 'a ping without a reply is a ping that was lost',
    says: 'what is on the path arrives',
    file: 'answers.toml',
    edits: [['flight = "d"', 'flight = "a"']],
  },
  'sent-again': {
    misconception: 'datagrams are sent again',
    says: 'is not sent again',
    file: 'answers.toml',
    edits: [['flight = "d"', 'flight = "b"']],
  },
  'trips-one-way': {
    misconception: 'takes the way there for a round trip',
    says: 'there and back',
    file: 'answers.toml',
    edits: [['trips = "1.70"', 'trips = "3.40"']],
  },
  'trips-predicted': {
    misconception: 'takes what was predicted for what was measured',
    says: 'That is what was predicted',
    file: 'answers.toml',
    edits: [['trips = "1.70"', 'trips = "1.5"']],
  },
  'trips-of-somebody-else': {
    misconception: 'an answer that is right for another run',
    says: 'one of your own runs',
    file: 'answers.toml',
    edits: [['trips = "1.70"', 'trips = "1.93"']],
  },
  'noticing-is-the-timeout': {
    misconception: 'takes what was set for what was measured',
    says: 'The timeout is what was set',
    file: 'answers.toml',
    edits: [['noticing = "77.46"', 'noticing = "77.07"']],
  },
  'noticing-is-the-reconnect': {
    misconception: 'takes the reconnect for the waiting',
    says: 'in which the client connects anew',
    file: 'answers.toml',
    edits: [['noticing = "77.46"', 'noticing = "22.54"']],
  },
  'noticing-as-a-share': {
    misconception: 'a share in the place of percent',
    says: 'and not percent',
    file: 'answers.toml',
    edits: [['noticing = "77.46"', 'noticing = "0.7746"']],
  },
})
