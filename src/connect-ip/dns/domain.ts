/**
 * A domain name inside DNS_ASSIGN, draft-ietf-masque-connect-ip-dns-06 §3.1:
 *
 *   Domain {
 *     Domain Length (i),
 *     Domain Name (..),
 *   }
 *
 * The name is in presentation format ("corp.example"), not in the labels of a DNS message. An empty one is the root.
 */

import { DecodeError } from '../../bytes/errors.ts'
import type { Reader } from '../../bytes/reader.ts'
import type { Writer } from '../../bytes/writer.ts'
import { isDnsName } from '../dns-name.ts'

/** Throws RangeError when `name` is neither empty nor the ASCII form of a DNS name. */
export function writeDomain(writer: Writer, name: string): void {
  if (name !== '' && !isDnsName(name)) throw new RangeError(`"${name}" is not a DNS name in its ASCII form`)
  writer.varint(name.length).bytes(new TextEncoder().encode(name))
}

/** The name in lower case, without the dot of the root at its end. Throws DecodeError. */
export function readDomain(reader: Reader): string {
  const length = Number(reader.varint())
  // Each byte as one character: what is not ASCII is no DNS name.
  const name = String.fromCharCode(...reader.take(Math.min(length, LONGEST + 1)))
  if (length > LONGEST) throw new DecodeError(`a domain name of ${length} bytes; expected at most ${LONGEST}`)
  if (name === '' || name === '.') return ''
  if (!isDnsName(name)) {
    const shown = name.slice(0, 60).replace(/[^\x20-\x7e]/g, '?')
    throw new DecodeError(
      `domain name "${shown}"; expected letters, digits and hyphens between dots (RFC 5890 A-labels)`,
    )
  }
  return name.replace(/\.$/, '').toLowerCase()
}

/** RFC 1035 §2.3.4: 255 bytes in a message, which are 253 characters and perhaps a final dot. */
const LONGEST = 254
