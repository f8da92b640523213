/**
 * The head of a message as a list of field lines, pseudo-header fields first: RFC 9113 §8.2, §8.3 and RFC 9114 §4.2, §4.3,
 * which say the same. A carrier on HTTP/1.1 puts its request line or status line into this form.
 */
import { parseItem } from 'structured-headers'
import { MalformedMessage } from './errors.ts'

/** A field line: name (lower case; pseudo-headers with their colon) and value. */
export type Header = readonly [name: string, value: string]

/** A header's value, or undefined. */
export function headerValue(headers: readonly Header[], name: string): string | undefined {
  return headers.find(header => header[0] === name)?.[1]
}

/** RFC 9110 §5.6.2. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** A token without upper case. */
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
/** RFC 9110 §5.5 field-content: visible characters and obs-text, with spaces and tabs only in between. */
const FIELD_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/

/** Fields about the connection have no place in HTTP/2 and HTTP/3, which do that by other means. */
const CONNECTION_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

const NO_PSEUDO_HEADERS = new Set<string>()

/** Checks a trailer section: ordinary fields only. Throws MalformedMessage. */
export function checkTrailers(headers: readonly Header[]): void {
  splitPseudoHeaders(headers, NO_PSEUDO_HEADERS)
  checkFields(headers, 'trailers')
}

/** Pseudo-headers come first, each at most once, and only those that are defined here. */
export function splitPseudoHeaders(headers: readonly Header[], allowed: ReadonlySet<string>): Map<string, string> {
  const pseudo = new Map<string, string>()
  let fieldsBegan = false
  for (const [name, value] of headers) {
    if (!name.startsWith(':')) {
      fieldsBegan = true
      continue
    }
    if (fieldsBegan) throw new MalformedMessage(`${printable(name)} comes after a regular field`)
    if (!allowed.has(name)) throw new MalformedMessage(`${printable(name)} is not allowed here`)
    if (pseudo.has(name)) throw new MalformedMessage(`${name} occurs twice`)
    pseudo.set(name, value)
  }
  return pseudo
}

export function checkFields(headers: readonly Header[], kind: 'request' | 'response' | 'trailers'): void {
  for (const [name, value] of headers) {
    if (!name.startsWith(':') && !FIELD_NAME.test(name)) {
      throw new MalformedMessage(`'${printable(name)}' is not a field name; lower-case tokens only`)
    }
    if (!FIELD_VALUE.test(value)) throw new MalformedMessage(`the value of ${name} has characters that are not allowed`)
    if (CONNECTION_FIELDS.has(name)) throw new MalformedMessage(`${name} is about the connection and not allowed here`)
    if (name === 'te' && (kind !== 'request' || value.toLowerCase() !== 'trailers')) {
      throw new MalformedMessage(`te is not allowed except as 'te: trailers' in a request`)
    }
  }
}

/** RFC 9297 §3.2: what follows the headers is a data stream, not content; nothing may describe content. */
export function checkDataStream(headers: readonly Header[], capsules: boolean): void {
  for (const [name] of headers) {
    if (name === 'content-length' || (capsules && name === 'content-type')) {
      throw new MalformedMessage(`${name} is not allowed: the message carries a data stream, not content`)
    }
  }
}

/**
 * Is there a Capsule-Protocol field with the value true? (RFC 9297 §3.4)
 *
 * It helps intermediaries; endpoints SHOULD send it, and nobody has to. False, a value that is no Boolean, and two fields
 * (which make a List) all mean the same as no field; parameters are ignored. What starts the Capsule Protocol is the
 * upgrade token: RFC 9484 shows this field in its examples, but not among the requirements.
 */
export function usesCapsules(headers: readonly Header[]): boolean {
  const values = headers.filter(([name]) => name === 'capsule-protocol').map(([, value]) => value)
  if (values.length !== 1) return false
  try {
    return parseItem(values[0])[0] === true
  } catch {
    return false
  }
}

/** RFC 9110 §8.6: digits; the same value twice is tolerated, two different ones are not. */
export function contentLengthOf(headers: readonly Header[]): number | undefined {
  let length: number | undefined
  for (const [name, value] of headers) {
    if (name !== 'content-length') continue
    const parsed = /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined
    if (parsed === undefined) throw new MalformedMessage(`content-length '${printable(value)}' is not a number`)
    if (length !== undefined && length !== parsed) {
      throw new MalformedMessage('content-length occurs twice with different values')
    }
    length = parsed
  }
  return length
}

/** Text from the network, for a message: short, and without anything that could disturb a log. */
export function printable(text: string): string {
  return text.slice(0, 80).replace(/[^\x20-\x7e]/g, '?')
}
