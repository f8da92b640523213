/**
 * Frames of the 1-RTT space that belong neither to a stream nor to TLS: HANDSHAKE_DONE, NEW_TOKEN, connection ids, and what tests the active path.
 * Each knows what its loss leads to (RFC 9000 §13.3).
 */

import type { ConnectionParts } from './connection-parts.ts'
import { appendHandshakeDone } from './frames/handshake-done-frame.ts'
import { appendNewConnectionId } from './frames/new-connection-id-frame.ts'
import { appendNewToken } from './frames/new-token-frame.ts'
import { appendPathChallenge } from './frames/path-challenge-frame.ts'
import { appendPathResponse } from './frames/path-response-frame.ts'
import { appendRetireConnectionId } from './frames/retire-connection-id-frame.ts'
import type { Path } from './paths.ts'
import type { SentContent } from './recovery/sent-packet.ts'
import type { WireWriter } from './wire-writer.ts'

/** The longest of each, in bytes. */
const NEW_CONNECTION_ID_ROOM = 1 + 8 + 8 + 1 + 20 + 16
const RETIRE_CONNECTION_ID_ROOM = 1 + 8
const PATH_FRAME_ROOM = 1 + 8
/** Beside the token. */
const AROUND_TOKEN = 1 + 2

export class ControlFrames {
  readonly #parts: ConnectionParts
  #isHandshakeDoneDue = false
  #newToken: Uint8Array | undefined

  constructor(parts: ConnectionParts) {
    this.#parts = parts
  }

  /** Of a server, once its handshake is over. */
  sendHandshakeDone(): void {
    this.#isHandshakeDoneDue = true
  }

  /** Of a server, at the same time. undefined: the client gets none. */
  sendNewToken(token: Uint8Array | undefined): void {
    this.#newToken = token
  }

  get wantsToSend(): boolean {
    if (this.#isHandshakeDoneDue || this.#newToken !== undefined || this.#parts.localIds.announcementsWaiting > 0)
      return true
    return this.#parts.peerIds !== undefined && this.#parts.peerIds.retirementsWaiting > 0
  }

  /** As there is room. */
  writeFrames(out: WireWriter, content: SentContent[]): void {
    if (this.#isHandshakeDoneDue && out.remaining > 0) {
      this.#isHandshakeDoneDue = false
      appendHandshakeDone(out)
      content.push({ onAcked() {}, onLost: () => this.sendHandshakeDone() })
    }
    const token = this.#newToken
    if (token !== undefined && out.remaining >= token.length + AROUND_TOKEN) {
      this.#newToken = undefined
      appendNewToken(out, token)
      content.push({ onAcked() {}, onLost: () => this.sendNewToken(token) })
    }
    this.#announce(out, content)
    this.#retire(out, content)
  }

  #announce(out: WireWriter, content: SentContent[]): void {
    const { localIds } = this.#parts
    while (localIds.announcementsWaiting > 0 && out.remaining >= NEW_CONNECTION_ID_ROOM) {
      const next = localIds.nextAnnouncement()
      if (next === undefined) return
      appendNewConnectionId(out, next.sequence, 0, next.id, next.resetToken)
      content.push({ onAcked() {}, onLost: () => localIds.onAnnouncementLost(next.sequence) })
    }
  }

  #retire(out: WireWriter, content: SentContent[]): void {
    const { peerIds } = this.#parts
    while (peerIds !== undefined && peerIds.retirementsWaiting > 0 && out.remaining >= RETIRE_CONNECTION_ID_ROOM) {
      const sequence = peerIds.nextRetirement()
      if (sequence === undefined) return
      appendRetireConnectionId(out, sequence)
      content.push({
        onAcked: () => peerIds.onRetirementAcknowledged(sequence),
        onLost: () => peerIds.onRetirementLost(sequence),
      })
    }
  }
}

/**
 * What tests a path (RFC 9000 §8.2). None of it is sent again when it is lost: a challenge is repeated with other bytes, and a response is asked
 * for by the next challenge. `isFull`: they are in a datagram of 1200 bytes. True: something was written.
 */
export function writePathFrames(path: Path, out: WireWriter, isFull: boolean, now: number): boolean {
  const before = out.offset
  while (path.responses.length > 0 && out.remaining >= PATH_FRAME_ROOM) {
    const data = path.responses.shift()
    if (data !== undefined) appendPathResponse(out, data)
  }
  const { validation } = path
  if (validation?.wantsChallenge(now) === true && out.remaining >= PATH_FRAME_ROOM) {
    appendPathChallenge(out, validation.challenge(now, isFull))
  }
  return out.offset > before
}
