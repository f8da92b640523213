/**
 * The key schedule, RFC 8446 §7.1. Each secret below is HKDF-Extract of what comes from the left with the one above it (after
 * Derive-Secret(., "derived", "")) as salt; to the right is what Derive-Secret makes of it.
 *
 *            PSK or 0 ──>  Early Secret       ──>  binder key ("res binder")
 *                              │
 *            (EC)DHE  ──>  Handshake Secret   ──>  client, server handshake traffic secret  (ClientHello … ServerHello)
 *                              │
 *                  0  ──>  Master Secret      ──>  client, server application traffic secret (ClientHello … server Finished)
 *                                             ──>  exporter secret                           (ClientHello … server Finished)
 *                                             ──>  resumption secret                         (ClientHello … client Finished)
 */
import { createHash } from 'node:crypto'
import { type HashName, hashLength, hkdfExpandLabel, hkdfExtract, hmac } from './hkdf.ts'

export interface TrafficSecrets {
  client: Uint8Array
  server: Uint8Array
}

const NOTHING = new Uint8Array(0)
const HASH_OF_NOTHING = { sha256: digest('sha256', NOTHING), sha384: digest('sha384', NOTHING) } as const

export class KeySchedule {
  readonly hash: HashName
  #secret: Uint8Array

  /** Without `psk` there is none. */
  constructor(hash: HashName, psk?: Uint8Array) {
    this.hash = hash
    const zeros = new Uint8Array(hashLength(hash))
    this.#secret = hkdfExtract(hash, zeros, psk ?? zeros)
  }

  /** The key of the binders of tickets, RFC 8446 §4.2.11.2. Before `toHandshakeSecret`. */
  binderKey(): Uint8Array {
    return this.#derive('res binder', HASH_OF_NOTHING[this.hash])
  }

  /** `shared`: what the key exchange has given. */
  toHandshakeSecret(shared: Uint8Array): void {
    this.#next(shared)
  }

  toMasterSecret(): void {
    this.#next(new Uint8Array(hashLength(this.hash)))
  }

  handshakeTraffic(transcriptHash: Uint8Array): TrafficSecrets {
    return {
      client: this.#derive('c hs traffic', transcriptHash),
      server: this.#derive('s hs traffic', transcriptHash),
    }
  }

  applicationTraffic(transcriptHash: Uint8Array): TrafficSecrets {
    return {
      client: this.#derive('c ap traffic', transcriptHash),
      server: this.#derive('s ap traffic', transcriptHash),
    }
  }

  exporterSecret(transcriptHash: Uint8Array): Uint8Array {
    return this.#derive('exp master', transcriptHash)
  }

  resumptionSecret(transcriptHash: Uint8Array): Uint8Array {
    return this.#derive('res master', transcriptHash)
  }

  #next(keyingMaterial: Uint8Array): void {
    const salt = this.#derive('derived', HASH_OF_NOTHING[this.hash])
    this.#secret = hkdfExtract(this.hash, salt, keyingMaterial)
  }

  /** Derive-Secret, RFC 8446 §7.1. */
  #derive(label: string, transcriptHash: Uint8Array): Uint8Array {
    return hkdfExpandLabel(this.hash, this.#secret, label, transcriptHash, hashLength(this.hash))
  }
}

/** The content of Finished, and of a binder (RFC 8446 §4.4.4): a MAC of all messages before it. */
export function verifyData(hash: HashName, baseKey: Uint8Array, transcriptHash: Uint8Array): Uint8Array {
  const finishedKey = hkdfExpandLabel(hash, baseKey, 'finished', NOTHING, hashLength(hash))
  return hmac(hash, finishedKey, transcriptHash)
}

/**
 * The binder of a ticket whose key is `psk`, RFC 8446 §4.2.11.2. `transcriptHash`: of all messages before the ClientHello that it is in, and
 * of that up to its binders.
 */
export function binderOf(hash: HashName, psk: Uint8Array, transcriptHash: Uint8Array): Uint8Array {
  return verifyData(hash, new KeySchedule(hash, psk).binderKey(), transcriptHash)
}

/** The PSK of one ticket, RFC 8446 §4.6.1. */
export function resumptionPsk(hash: HashName, resumptionSecret: Uint8Array, ticketNonce: Uint8Array): Uint8Array {
  return hkdfExpandLabel(hash, resumptionSecret, 'resumption', ticketNonce, hashLength(hash))
}

export function digest(hash: HashName, data: Uint8Array): Uint8Array {
  return createHash(hash).update(data).digest()
}
