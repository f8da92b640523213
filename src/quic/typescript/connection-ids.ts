/** The ids by which the peer may call us (RFC 9000 §5.1.1). */
export class LocalConnectionIds {
  /** `first`: our Source Connection ID of the handshake, sequence number 0. `resetToken`: makes the token of an id. `limit`: how many we hold at most. */
  constructor(_first: Uint8Array, _resetToken: (id: Uint8Array) => Uint8Array, _limit?: number) {}
  /** The peer's active_connection_id_limit. */
  setPeerLimit(_limit: number): void {}
  /** A preferred_address has taken sequence number 1. */
  /** How many more ids are to be made now. */
  get wanted(): number {
    throw new Error('to be written')
  }
  /** Adds an id; it is to be announced (`nextAnnouncement`). */
  add(_id: Uint8Array): void {}
  has(_id: Uint8Array): boolean {
    throw new Error('to be written')
  }
  /** The next id of which a NEW_CONNECTION_ID is to be sent, marked as sent. Asked again with `onLost`. */
  nextAnnouncement(): LocalConnectionId | undefined {
    throw new Error('to be written')
  }
  get announcementsWaiting(): number {
    throw new Error('to be written')
  }
  onAnnouncementLost(_sequence: number): void {}
  /** RETIRE_CONNECTION_ID has come in a packet to `dcid`. Returns the id that is gone; undefined when it was gone already. */
  onRetire(_sequence: number, _dcid: Uint8Array): Uint8Array | undefined {
    throw new Error('to be written')
  }
  /** All that are in use now. */
  get ids(): readonly Uint8Array[] {
    throw new Error('to be written')
  }
}

export interface LocalConnectionId {
  readonly sequence: number
  readonly id: Uint8Array
  readonly resetToken: Uint8Array
}

/** The ids by which we may call the peer (RFC 9000 §5.1.2). */
export class PeerConnectionIds {
  /** `limit`: the active_connection_id_limit that we have sent. */
  constructor(_first: Uint8Array, _limit?: number) {}
  /** The id that the path of the handshake uses; replaced when the server has chosen its own, or by a Retry. */
  get first(): PeerConnectionId {
    throw new Error('to be written')
  }
  /** Of a client: the server's Source Connection ID takes the place of the one that we had made up. */
  replaceFirst(_id: Uint8Array): void {}
  /** From the transport parameters. */
  setFirstResetToken(_token: Uint8Array): void {}
  /** Throws CONNECTION_ID_LIMIT_ERROR, PROTOCOL_VIOLATION, FRAME_ENCODING_ERROR. An id of a path may be `retired` afterwards: `take` another. */
  onNewConnectionId(_sequence: number, _retirePriorTo: number, _id: Uint8Array, _resetToken: Uint8Array): void {}
  /** An id that no path uses yet, for a new path, or one whose id was retired. undefined: the peer has given us none. */
  take(): PeerConnectionId | undefined {
    throw new Error('to be written')
  }
  /** A path that is not used any more. */
  retire(_id: PeerConnectionId): void {}
  /** The next sequence number for a RETIRE_CONNECTION_ID, marked as sent. */
  nextRetirement(): number | undefined {
    throw new Error('to be written')
  }
  get retirementsWaiting(): number {
    throw new Error('to be written')
  }
  onRetirementLost(_sequence: number): void {}
  onRetirementAcknowledged(_sequence: number): void {}
  /** Whether a datagram ends with the reset token of an id in use (RFC 9000 §10.3.1). Takes the same time whichever it is. */
  isStatelessReset(_datagram: Uint8Array): boolean {
    throw new Error('to be written')
  }
}

export interface PeerConnectionId {
  readonly sequence: number
  readonly id: Uint8Array
  readonly resetToken: Uint8Array | undefined
  /** The peer has asked for its retirement: nothing more is sent with it, once there is another. */
  readonly retired: boolean
}
