/** Wrong solutions of `routes`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('routes.ts', {
  'byte-by-byte-contained': {
    misconception: 'each byte is compared with the bytes of start and end for itself',
    says: 'compared as a whole',
    edits: [
      [
        'compareAddresses(route.start, destination) > 0 || compareAddresses(destination, route.end) > 0',
        '!destination.every((byte, i) => route.start[i] <= byte && byte <= route.end[i])',
      ],
    ],
  },
  'end-not-inside': {
    misconception: 'ranges that share an address are accepted',
    says: 'one address in both is too much',
    edits: [['(before.end, after.start) >= 0', '(before.end, after.start) > 0']],
  },
  'icmp-forgotten': {
    misconception: 'ICMP needs a route for its protocol',
    says: 'ICMP may be sent to every advertised range',
    edits: [['protocol || protocol === ICMP[version]', 'protocol']],
  },
  'no-bound-check': {
    misconception: 'a range that is cut short is read as far as it goes',
    says: 'Is there enough left',
    edits: [
      ["if (protocolAt >= value.length) throw new MalformedError('the capsule ends inside a range')", ''],
      [
        '{ version, start, end, protocol: value[protocolAt] }',
        '{ version, start, end, protocol: value[protocolAt] ?? 0 }',
      ],
    ],
  },
  'not-sorted': {
    misconception: 'routes are written as they come',
    says: 'The order is by IP version first',
    edits: [['const sorted = [...routes].sort(compareRoutes)', 'const sorted = [...routes]']],
  },
  'order-of-addresses-only': {
    misconception: 'the order is checked and made by address alone',
    says: 'by IP version first',
    edits: [['a.protocol - b.protocol || compareAddresses', 'compareAddresses']],
  },
  'order-unchecked': {
    misconception: 'the order of the ranges is not checked',
    says: 'The order is by IP version first',
    edits: [["if (compareRoutes(before, after) > 0) throw new MalformedError('the ranges are not in order')", '']],
  },
  'overlap-across-protocols': {
    misconception: 'the same addresses for two protocols are refused',
    says: 'of one version and protocol',
    edits: [['after.version && before.protocol === after.protocol', 'after.version']],
  },
  'signed-compare': {
    misconception: 'addresses are compared as signed 32-bit numbers',
    says: 'becomes negative',
    edits: [
      [
        'for (let i = 0; i < a.length; i++) {',
        `for (let i = 0; i + 3 < a.length; i += 4) {
          const word = (bytes: Uint8Array): number => (bytes[i] << 24) | (bytes[i + 1] << 16) | (bytes[i + 2] << 8) | bytes[i + 3]
          if (word(a) !== word(b)) return word(a) - word(b)
        }
        for (let i = 0; i < a.length; i++) {`,
      ],
    ],
  },
  'single-address-refused': {
    misconception: 'a range of one address is refused',
    says: 'A single address is a range too',
    edits: [['(start, end) > 0', '(start, end) >= 0']],
  },
  'start-after-end': {
    misconception: 'a range may begin after its end',
    says: 'Start must be at most the end',
    edits: [["if (compareAddresses(start, end) > 0) throw new MalformedError('a range begins after its end')", '']],
  },
  'text-compare': {
    misconception: 'addresses are compared as text',
    says: 'as text "9" comes after "10"',
    edits: [
      [
        `for (let i = 0; i < a.length; i++) {
          if (a[i] !== b[i]) return a[i] - b[i]
        }
        return 0`,
        `const [left, right] = [a.join('.'), b.join('.')]
        return left < right ? -1 : left > right ? 1 : 0`,
      ],
    ],
  },
  'first-range-decides': {
    misconception: 'only the first range that contains the address counts',
    says: 'the first range says that contains the address',
    edits: [
      [
        `return routes.some(route => {
    if (route.version !== version) return false
    if (compareAddresses(route.start, destination) > 0 || compareAddresses(destination, route.end) > 0) return false
    return route.protocol`,
        `const first = routes.find(
    route =>
      route.version === version &&
      compareAddresses(route.start, destination) <= 0 &&
      compareAddresses(destination, route.end) <= 0,
  )
  return [first].some(route => {
    if (route === undefined) return false
    return route.protocol`,
      ],
    ],
  },
  'search-by-start': {
    misconception: 'searches as if the list were in order by address',
    says: 'low addresses may come after high ones',
    edits: [
      [
        `return routes.some(route => {
    if (route.version !== version) return false`,
        `const own = routes.filter(route => route.version === version)
  let [low, high] = [0, own.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compareAddresses(own[middle]!.start, destination) <= 0) low = middle + 1
    else high = middle
  }
  return own.slice(Math.max(0, low - 1), low).some(route => {`,
      ],
    ],
  },
  'end-plus-one': {
    misconception: 'compares the start with one more than the end, which is 0 behind 255.255.255.255',
    says: 'there is no room for another',
    edits: [
      [
        'if (sameKind && compareAddresses(before.end, after.start) >= 0) throw',
        `const behind = before.end.slice()
  for (let i = behind.length - 1; i >= 0; i--) {
    behind[i]!++
    if (behind[i] !== 0) break
  }
  if (sameKind && compareAddresses(behind, after.start) > 0) throw`,
      ],
    ],
  },
})
