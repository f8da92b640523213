/**
 * How client and proxy agree on FEC: a header field of ours (in no RFC; who does not know it ignores it), in the request and, when the proxy agrees, the
 * same in the response. It is an Item of RFC 9651, an Integer with a parameter:
 *
 *   Masque-Lab-FEC: 8;context=2
 *
 * Groups of 8 packets in both directions, on the Context ID 2, which the client allocates with it (RFC 9484 §5: "Non-zero even-numbered Context IDs are client-allocated").
 * The client takes what comes there as soon as it has asked, since packets may overtake the answer, and sends there when it has the answer.
 */

import { parseItem, serializeItem } from 'structured-headers'
import type { Header } from '../../http/header.ts'
import { MAX_FEC_GROUP, MIN_FEC_GROUP } from './datagram.ts'

export const FEC_FIELD = 'masque-lab-fec'

export interface FecAgreement {
  /** Packets in a group. */
  readonly groupSize: number
  /** One of the client's. A number: the largest Integer of a structured field has 15 digits. */
  readonly contextId: number
}

export function fecField({ groupSize, contextId }: FecAgreement): Header {
  return [FEC_FIELD, serializeItem([groupSize, new Map([['context', contextId]])])]
}

/** What a request asks for, or a response agrees to. What cannot be read, or cannot be meant, is as good as not there: the tunnel does without. */
export function readFecField(headers: readonly Header[]): FecAgreement | undefined {
  const values = headers.filter(([name]) => name === FEC_FIELD).map(([, value]) => value)
  if (values.length !== 1) return undefined
  try {
    const [groupSize, parameters] = parseItem(values[0])
    const contextId = parameters.get('context')
    if (!isInteger(groupSize) || groupSize < MIN_FEC_GROUP || groupSize > MAX_FEC_GROUP) return undefined
    // 0 is for packets as they are.
    if (!isInteger(contextId) || contextId <= 0 || contextId % 2 !== 0) return undefined
    return { groupSize, contextId }
  } catch {
    return undefined
  }
}

function isInteger(value: unknown): value is number {
  return Number.isInteger(value)
}
