/**
 * What a greedy flow puts into UDP. The source sends data, the sink answers each with an acknowledgement. Nothing is
 * retransmitted: the data mean nothing, only whether and when they arrive does.
 *
 *   0                   1                   2                   3
 *   0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |        Magic (32): "mlgd" data, "mlga" acknowledgement        |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |                         Flow ID (32)                          |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |      Token (32): chosen by the source, echoed by the sink      |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |    Sequence (32): from 0; in an acknowledgement, of the packet that it answers    |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |   Send Time (64): IEEE 754 double, µs. In an acknowledgement: |
 *  |   Delay (64), from that send time to the arrival              |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  data go on with zeros; an acknowledgement with
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |            Highest (32): highest sequence received            |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *  |    Received before (64): bit i (from the least significant of   |
 *  |    the first word): was Highest - 1 - i received?             |
 *  +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *
 * So the loss of up to 64 acknowledgements in a row does no harm. The token keeps out those who do not see the flow.
 */

import { DecodeError, TruncatedError } from '../bytes/errors.ts'

export const GREEDY_ACK_LENGTH = 36
/** Data are never shorter than their acknowledgements: nobody can have us send more than they sent. */
export const SHORTEST_GREEDY_DATA = GREEDY_ACK_LENGTH

const DATA_MAGIC = 0x6d6c6764
const ACK_MAGIC = 0x6d6c6761

export interface GreedyData {
  flowId: number
  token: number
  sequence: number
  sentUs: number
}

export interface GreedyAck {
  flowId: number
  token: number
  /** Of the packet that is answered. */
  sequence: number
  /** How long that packet took, on the two hosts' clocks. */
  delayUs: number
  highest: number
  /** Bit i: was highest - 1 - i received? Two words: 0 … 31, 32 … 63. */
  before: readonly [number, number]
}

/** Writes the header into the payload, which is SHORTEST_GREEDY_DATA long or longer. */
export function writeGreedyData(data: GreedyData, payload: Uint8Array): void {
  writeCommon(payload, DATA_MAGIC, data, data.sentUs)
}

export function encodeGreedyAck(ack: GreedyAck): Uint8Array {
  const payload = new Uint8Array(GREEDY_ACK_LENGTH)
  const view = writeCommon(payload, ACK_MAGIC, ack, ack.delayUs)
  view.setUint32(24, ack.highest)
  view.setUint32(28, ack.before[0])
  view.setUint32(32, ack.before[1])
  return payload
}

/** Throws DecodeError for what is no data of a greedy flow. */
export function decodeGreedyData(payload: Uint8Array): GreedyData {
  const { time: sentUs, ...common } = readCommon(payload, DATA_MAGIC, SHORTEST_GREEDY_DATA, 'data')
  return { ...common, sentUs }
}

/** Throws DecodeError for what is no acknowledgement, or one that contradicts itself. */
export function decodeGreedyAck(payload: Uint8Array): GreedyAck {
  const { time: delayUs, ...common } = readCommon(payload, ACK_MAGIC, GREEDY_ACK_LENGTH, 'acknowledgement')
  const view = viewOf(payload)
  const highest = view.getUint32(24)
  if (common.sequence > highest) {
    throw new DecodeError(`acknowledgement of ${common.sequence}, beyond the highest received, ${highest}`)
  }
  return { ...common, delayUs, highest, before: [view.getUint32(28), view.getUint32(32)] }
}

function writeCommon(
  payload: Uint8Array,
  magic: number,
  fields: { flowId: number; token: number; sequence: number },
  time: number,
): DataView {
  const view = viewOf(payload)
  view.setUint32(0, magic)
  view.setUint32(4, fields.flowId)
  view.setUint32(8, fields.token)
  view.setUint32(12, fields.sequence)
  view.setFloat64(16, time)
  return view
}

function readCommon(payload: Uint8Array, magic: number, shortest: number, name: string) {
  if (payload.length < shortest) {
    throw new TruncatedError(`greedy flow's ${name} of ${payload.length} bytes; expected at least ${shortest}`)
  }
  const view = viewOf(payload)
  if (view.getUint32(0) !== magic) throw new DecodeError(`no greedy flow's ${name}: the first four bytes are others`)
  const time = view.getFloat64(16)
  // Beyond that, doubles have gaps of more than 1 µs. (The `!` also catches NaN.)
  if (!(Math.abs(time) <= Number.MAX_SAFE_INTEGER)) throw new DecodeError(`greedy flow's ${name} with time ${time} µs`)
  return { flowId: view.getUint32(4), token: view.getUint32(8), sequence: view.getUint32(12), time }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
