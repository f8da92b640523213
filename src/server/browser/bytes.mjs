// Reading and writing bytes: variable-length integers, addresses, checksums.

/** Reads from the front of bytes. Throws RangeError when they end too early. */
export class Reader {
  #bytes
  #at = 0

  constructor(bytes) {
    this.#bytes = bytes
  }

  get remaining() {
    return this.#bytes.length - this.#at
  }

  take(length) {
    if (length > this.remaining) throw new RangeError(`${length} bytes are expected, ${this.remaining} are left`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  byte() {
    return this.take(1)[0]
  }

  /** RFC 9000 §16: the first two bits say whether it has 1, 2, 4 or 8 bytes. */
  varint() {
    const first = this.byte()
    let value = first & 0x3f
    for (const byte of this.take((1 << (first >> 6)) - 1)) value = value * 256 + byte
    return value
  }
}

export function encodeVarint(value) {
  if (value < 0x40) return [value]
  if (value < 0x4000) return [0x40 | (value >> 8), value & 0xff]
  if (value < 0x40000000) return [0x80 | (value >> 24), (value >> 16) & 0xff, (value >> 8) & 0xff, value & 0xff]
  throw new RangeError(`${value} is larger than anything that this page sends`)
}

export function concat(...parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

export function equal(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** RFC 1071: the ones' complement of the ones' complement sum of all 16-bit words. */
export function checksum(...parts) {
  let sum = 0
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i] << 8) | (part[i + 1] ?? 0)
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** The bytes of an IPv4 or IPv6 address in text form; undefined when it is none. */
export function parseAddress(text) {
  if (text.includes(':')) return parseIpv6(text)
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every(part => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return Uint8Array.from(parts, Number)
}

function parseIpv6(text) {
  if (!URL.canParse(`http://[${text}]/`)) return undefined
  // The browser knows all the ways to write one. It answers with the shortest: groups of 16 bits, one "::" for the zeros left out.
  const [front, back] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::')
  const groups = half => (half ? half.split(':').map(group => Number.parseInt(group, 16)) : [])
  const [before, after] = [groups(front), groups(back)]
  const zeros = Array(8 - before.length - after.length).fill(0)
  return Uint8Array.from([...before, ...zeros, ...after].flatMap(group => [group >> 8, group & 0xff]))
}

export function formatAddress(bytes) {
  if (bytes.length === 4) return bytes.join('.')
  const groups = []
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] << 8) | bytes[i + 1]).toString(16))
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1)
}
