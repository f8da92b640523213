import type { PacketNumberSpace } from '../packet-number-space.ts'
import { PROTOCOL_VIOLATION, TransportError } from '../transport-error.ts'
import { WireReader } from '../wire-reader.ts'
import { readAck } from './ack-frame.ts'
import { readConnectionClose } from './connection-close-frame.ts'
import { readCrypto } from './crypto-frame.ts'
import { readDataBlocked } from './data-blocked-frame.ts'
import { readDatagram } from './datagram-frame.ts'
import * as type from './frame-types.ts'
import type { FrameVisitor } from './frame-visitor.ts'
import { readMaxData } from './max-data-frame.ts'
import { readMaxStreamData } from './max-stream-data-frame.ts'
import { readMaxStreams } from './max-streams-frame.ts'
import { readNewConnectionId } from './new-connection-id-frame.ts'
import { readNewToken } from './new-token-frame.ts'
import { skipPadding } from './padding-frame.ts'
import { readPathChallenge } from './path-challenge-frame.ts'
import { readPathResponse } from './path-response-frame.ts'
import { readResetStream } from './reset-stream-frame.ts'
import { readRetireConnectionId } from './retire-connection-id-frame.ts'
import { readStopSending } from './stop-sending-frame.ts'
import { readStreamDataBlocked } from './stream-data-blocked-frame.ts'
import { readStream } from './stream-frame.ts'
import { readStreamsBlocked } from './streams-blocked-frame.ts'

/** What `readFrames` says of the packet, bits that may be set together. */
export const ACK_ELICITING = 1
/** It has a frame which is not one of those that only test a path (RFC 9000 §9.1). */
export const NON_PROBING = 2

/** For all packets: no visitor reads another one meanwhile. */
const reader = new WireReader(new Uint8Array(0))

/**
 * Calls the visitor for each frame of a packet's payload, in order. Throws TransportError for what RFC 9000 §12.4 and §19 do not
 * allow; what stood before that was handed out. `from`: who has sent it. Returns ACK_ELICITING | NON_PROBING.
 */
export function readFrames(
  payload: Uint8Array,
  space: PacketNumberSpace,
  from: 'client' | 'server',
  visitor: FrameVisitor,
): number {
  if (payload.length === 0) throw new TransportError(PROTOCOL_VIOLATION, 'a packet without frames')
  reader.reset(payload)
  let summary = 0
  while (reader.offset < reader.end) {
    const frameType = readFrameType()
    const rules = checkRules(frameType, space, from)
    if (rules & type.ELICITS_ACK) summary |= ACK_ELICITING
    if (!(rules & type.PROBING)) summary |= NON_PROBING
    readFrame(frameType, reader, visitor)
  }
  return summary
}

/** The one integer that has to be in its shortest encoding (§12.4): else one type could be written in four ways. */
function readFrameType(): number {
  const long = reader.bytes[reader.offset] >= 0x40
  reader.frameType = undefined
  const frameType = reader.varint()
  reader.frameType = frameType
  if (long && frameType < 0x40) {
    throw new TransportError(PROTOCOL_VIOLATION, 'a frame type that is encoded in more bytes than it needs', frameType)
  }
  return frameType
}

function checkRules(frameType: number, space: PacketNumberSpace, from: 'client' | 'server'): number {
  const rules = frameType < type.FRAME_RULES.length ? type.FRAME_RULES[frameType] : 0
  if (rules === 0) throw reader.error(`unknown frame type 0x${frameType.toString(16)}`)
  if (!(rules & (1 << space))) {
    throw new TransportError(PROTOCOL_VIOLATION, 'a frame that may not stand in this type of packet', frameType)
  }
  if (rules & type.FROM_SERVER_ONLY && from === 'client') {
    throw new TransportError(PROTOCOL_VIOLATION, 'a frame that only servers send', frameType)
  }
  return rules
}

function readFrame(frameType: number, from: WireReader, visitor: FrameVisitor): void {
  switch (frameType) {
    case type.PADDING:
      return skipPadding(from)
    case type.PING:
      return visitor.onPing()
    case type.ACK:
    case type.ACK_ECN:
      return readAck(frameType, from, visitor)
    case type.RESET_STREAM:
      return readResetStream(from, visitor)
    case type.STOP_SENDING:
      return readStopSending(from, visitor)
    case type.CRYPTO:
      return readCrypto(from, visitor)
    case type.NEW_TOKEN:
      return readNewToken(from, visitor)
    case type.MAX_DATA:
      return readMaxData(from, visitor)
    case type.MAX_STREAM_DATA:
      return readMaxStreamData(from, visitor)
    case type.MAX_STREAMS_BIDI:
    case type.MAX_STREAMS_UNI:
      return readMaxStreams(frameType, from, visitor)
    case type.DATA_BLOCKED:
      return readDataBlocked(from, visitor)
    case type.STREAM_DATA_BLOCKED:
      return readStreamDataBlocked(from, visitor)
    case type.STREAMS_BLOCKED_BIDI:
    case type.STREAMS_BLOCKED_UNI:
      return readStreamsBlocked(frameType, from, visitor)
    case type.NEW_CONNECTION_ID:
      return readNewConnectionId(from, visitor)
    case type.RETIRE_CONNECTION_ID:
      return readRetireConnectionId(from, visitor)
    case type.PATH_CHALLENGE:
      return readPathChallenge(from, visitor)
    case type.PATH_RESPONSE:
      return readPathResponse(from, visitor)
    case type.CONNECTION_CLOSE:
    case type.CONNECTION_CLOSE_APPLICATION:
      return readConnectionClose(frameType, from, visitor)
    case type.HANDSHAKE_DONE:
      return visitor.onHandshakeDone()
    case type.DATAGRAM:
    case type.DATAGRAM_WITH_LENGTH:
      return readDatagram(frameType, from, visitor)
    default:
      return readStream(frameType, from, visitor)
  }
}
