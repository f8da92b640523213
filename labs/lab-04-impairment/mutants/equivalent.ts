/** Mutations of the solutions that change nothing which can be observed, or nothing that is asked for; and why. */
import type { Equivalents } from '../../kit/grading/mutants.ts'

export default {
  'bloat.ts': {
    'divided by 0, it is Infinity': [
      [
        'return growth > 0 ? (queueBits(link, packetBytes) * 1000) / growth : Number.POSITIVE_INFINITY',
        'return growth >= 0 ? (queueBits(link, packetBytes) * 1000) / growth : Number.POSITIVE_INFINITY',
      ],
    ],
  },
  'codel.ts': {
    'the first drop begins with count 1 whatever was there': [
      ['#dropNextMs = 0', '#dropNextMs = (-1)'],
      ['#dropNextMs = 0', '#dropNextMs = 1'],
      ['#count = 0', '#count = (-1)'],
      ['#count = 0', '#count = 1'],
      ['#lastCount = 0', '#lastCount = (-1)'],
      ['#lastCount = 0', '#lastCount = 1'],
    ],
    'neither is there': [
      [
        'if (packet === undefined) { this.#firstAboveMs = 0 return { packet, mayDrop: false }',
        'if (packet === undefined) { this.#firstAboveMs = 0 return { packet: false, mayDrop: packet }',
      ],
    ],
    'without a packet, nothing is dropped any more': [
      [
        'while (this.#dropping && packet && nowMs >= this.#dropNextMs) {',
        'while (this.#dropping && nowMs >= this.#dropNextMs) {',
      ],
    ],
    'what may be dropped is there': [['} else if (mayDrop && packet) {', '} else if (mayDrop) {']],
    'it is the first': [
      [
        '} else if (mayDrop && packet) { dropped.push(packet.id)',
        '} else if (mayDrop && packet) { dropped.unshift(packet.id)',
      ],
    ],
    'the last packet left nothing behind it: that was good, and has made it 0': [
      ['if (packet === undefined) { this.#firstAboveMs = 0', 'if (packet === undefined) { ;'],
    ],
    'two drops in a row and more add interval/√n for two n one after the other, so 16 intervals exactly is a matter of rounding':
      [
        [
          'this.#count = inARow > 1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1',
          'this.#count = inARow > 1 && nowMs - this.#dropNextMs <= 16 * intervalMs ? inARow : 1',
        ],
      ],
    'one in a row is 1 either way': [
      [
        'this.#count = inARow > 1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1',
        'this.#count = inARow >= 1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1',
      ],
      [
        'this.#count = inARow > 1 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1',
        'this.#count = inARow > 0 && nowMs - this.#dropNextMs < 16 * intervalMs ? inARow : 1',
      ],
    ],
  },
  'estimate.ts': {
    'one loss, one packet behind a loss or one pattern 1?1 says nothing, whatever is asked first': [
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 1 || followed === 0 || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || followed === 1 || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || followed === 0 || filled + gaps === 1) return undefined',
      ],
    ],
    'the interval lies between 0 and 1 but for rounding': [
      [
        'return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }',
        'return { low: Math.max((-1), (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }',
      ],
      [
        'return { low: Math.max(0, (centre - half) / scale), high: Math.min(1, (centre + half) / scale) }',
        'return { low: Math.max(0, (centre - half) / scale), high: Math.min(2, (centre + half) / scale) }',
      ],
    ],
    'outside of the trace nothing is lost': [
      ['for (let i = 0; i < trace.length; i++) {', 'for (let i = (-1); i < trace.length; i++) {'],
      ['for (let i = 0; i < trace.length; i++) {', 'for (let i = 0; i <= trace.length; i++) {'],
    ],
    'behind the trace nothing is lost': [
      ['if (i + 2 >= trace.length || !trace[i + 2]) continue', 'if (!trace[i + 2]) continue'],
      ['if (i + 2 >= trace.length || !trace[i + 2]) continue', 'if (i - 2 >= trace.length || !trace[i + 2]) continue'],
      ['if (i + 2 >= trace.length || !trace[i + 2]) continue', 'if (i + 1 >= trace.length || !trace[i + 2]) continue'],
      ['if (i + 2 >= trace.length || !trace[i + 2]) continue', 'if (i + 2 > trace.length || !trace[i + 2]) continue'],
      ['if (i + 2 >= trace.length || !trace[i + 2]) continue', 'if (i + 2 >= trace.length || !trace[i + 3]) continue'],
    ],
    'what is divided by 0 is NaN, and is refused below': [
      ['if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined', 'if (false) return undefined'],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (followed === 0 || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || followed === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === (-1) || followed === 0 || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || followed === (-1) || filled + gaps === 0) return undefined',
      ],
      [
        'if (losses === 0 || followed === 0 || filled + gaps === 0) return undefined',
        'if (losses === 0 || followed === 0 || filled + gaps === (-1)) return undefined',
      ],
    ],
    'all three are looked at': [
      [
        'return [p, r, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
        'return [r, p, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
      ],
      [
        'return [p, r, oneMinusH].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
        'return [p, oneMinusH, r].every(value => value > 0 && value <= 1) ? { p, r, oneMinusH } : undefined',
      ],
    ],
  },
  'metrics.ts': {
    'no number is below 0': [['let nextExpected = 0', 'let nextExpected = (-1)']],
    'no number comes twice among the first copies': [['nextExpected = sequence + 1', 'nextExpected = sequence + 0']],
    'something that overtook it came before it': [
      [
        'const overtaker = packets.findIndex(other => other.sequence > sequence)',
        'const overtaker = packets.findIndex(other => other.sequence >= sequence)',
      ],
    ],
  },
  'migration.ts': {
    'the first address is validated: nobody asks how much came from there, or was sent there': [
      [
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: 0, validated: true }]])',
        'const peers = new Map<string, Peer>([[first, { received: (-1), sent: 0, validated: true }]])',
      ],
      [
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: 0, validated: true }]])',
        'const peers = new Map<string, Peer>([[first, { received: 1, sent: 0, validated: true }]])',
      ],
      [
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: 0, validated: true }]])',
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: (-1), validated: true }]])',
      ],
      [
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: 0, validated: true }]])',
        'const peers = new Map<string, Peer>([[first, { received: 0, sent: 1, validated: true }]])',
      ],
    ],
    'no packet number is below 0': [['let highest = -1', 'let highest = -2']],
    'false counts as 0, and 0 as false': [
      [
        'const known = peers.get(name) ?? { received: 0, sent: 0, validated: false }',
        'const known = peers.get(name) ?? { received: 0, sent: false, validated: 0 }',
      ],
    ],
    'no packet comes from nowhere, or answers nothing': [
      [
        'if (event.challenge !== undefined) challenged.set(event.challenge, event.to)',
        'if (true) challenged.set(event.challenge, event.to)',
      ],
      [
        'const proven = event.response === undefined ? undefined : challenged.get(event.response)',
        'const proven = challenged.get(event.response)',
      ],
      ['if (proven !== undefined) peer(proven).validated = true', 'if (true) peer(proven).validated = true'],
    ],
    'where the address is validated, it is itself the last one that was': [
      [
        '} else if (challenged.get(event.challenge) === address && !peer(address).validated) {',
        '} else if (challenged.get(event.challenge) === address) {',
      ],
    ],
  },
  'outage.ts': {
    'when 1, 3, 7 … timeouts are exactly as long as the outage, both are taken': [
      [
        'while (probeTimeout * (2 ** (lost + 1) - 1) < outageMs) lost++',
        'while (probeTimeout * (2 ** (lost + 1) - 1) <= outageMs) lost++',
      ],
    ],
    'the first turn makes it 0': [['let lost = 0', 'let lost = (-1)']],
  },
} satisfies Equivalents
