/**
 * Just enough DER (ITU-T X.690) to write an X.509 certificate: every value is tag, length, content.
 *
 * Writing only. What reads is tls/x509/der.ts: strangers send what it is given, and of what it refuses nothing can come up here.
 */

/** The tags that a certificate uses (X.690 §8; the class bits are part of the number). */
export const DerTag = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** Tag, length and content. The length is one byte below 128, else a byte that counts the length bytes (X.690 §8.1.3). */
export function der(tag: number, ...content: Uint8Array[]): Uint8Array {
  const body = concat(content)
  const length: number[] = []
  if (body.length < 0x80) length.push(body.length)
  else {
    for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) length.unshift(rest % 256)
    length.unshift(0x80 | length.length)
  }
  return concat([Uint8Array.from([tag, ...length]), body])
}

export function sequence(...content: Uint8Array[]): Uint8Array {
  return der(DerTag.SEQUENCE, ...content)
}

/** A context-specific tag `[number]`, as ASN.1 writes optional fields. `constructed`: it holds another DER value. */
export function contextTag(number: number, constructed: boolean, content: Uint8Array): Uint8Array {
  return der(0x80 | (constructed ? 0x20 : 0) | number, content)
}

/** A non-negative integer from its big-endian bytes; a zero byte goes in front where the sign bit would be set. */
export function integer(magnitude: Uint8Array): Uint8Array {
  let start = 0
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++
  const bytes = magnitude.subarray(start)
  return (bytes[0] ?? 0) & 0x80 ? der(DerTag.INTEGER, Uint8Array.of(0), bytes) : der(DerTag.INTEGER, bytes)
}

/** An object identifier in dotted form: the first two arcs share a byte, each further one is base 128 (X.690 §8.19). */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const arc of rest) {
    const base128 = [arc % 128]
    for (let high = Math.floor(arc / 128); high > 0; high = Math.floor(high / 128)) base128.unshift(0x80 | (high % 128))
    bytes.push(...base128)
  }
  return der(DerTag.OBJECT_IDENTIFIER, Uint8Array.from(bytes))
}

/** A bit string; `unusedBits` counts the bits of the last byte that are padding. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return der(DerTag.BIT_STRING, Uint8Array.of(unusedBits), bytes)
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return der(DerTag.OCTET_STRING, bytes)
}

export function utf8String(text: string): Uint8Array {
  return der(DerTag.UTF8_STRING, new TextEncoder().encode(text))
}

export function boolean(value: boolean): Uint8Array {
  return der(DerTag.BOOLEAN, Uint8Array.of(value ? 0xff : 0))
}

/** A point in time, in whole seconds: two-digit years up to 2049, four digits from then on (RFC 5280 §4.1.2.5). */
export function time(date: Date): Uint8Array {
  const digits = `${date
    .toISOString()
    .replace(/\.\d+Z$/, '')
    .replace(/\D/g, '')}Z`
  const short = date.getUTCFullYear() >= 1950 && date.getUTCFullYear() < 2050
  return der(
    short ? DerTag.UTC_TIME : DerTag.GENERALIZED_TIME,
    new TextEncoder().encode(short ? digits.slice(2) : digits),
  )
}
