/**
 * The ciphers that packets are protected with, which are OpenSSL's in both of the ways in which Node lets one have them:
 *
 *   node       by node:crypto: some objects for each packet, made and thrown away                   everywhere      node-ciphers.ts
 *   openssl    by the functions of OpenSSL that node:crypto calls itself: a fifth of the time       with koffi      openssl-ciphers.ts
 *
 * MASQUE_CRYPTO=auto|openssl|node decides; auto, the default: openssl where it can be had.
 */
import { ChoiceError } from '../../choice-error.ts'
import type { CipherSuite } from './cipher-suites.ts'
import { NODE_CIPHERS } from './node-ciphers.ts'
import { loadOpensslCiphers } from './openssl-ciphers.ts'

export interface PacketCiphers {
  /** Of the AEAD, for one direction. */
  packetCipher(suite: CipherSuite, key: Uint8Array): PacketCipher
  /** Of header protection. */
  headerCipher(suite: CipherSuite, key: Uint8Array): HeaderCipher
}

/** Of packets that begin at packet[0], in place: header, payload from `payloadOffset` on, and the tag at `tagOffset`. */
export interface PacketCipher {
  /** Encrypts the payload, and writes the tag; the header is the associated data. */
  seal(nonce: Uint8Array, packet: Uint8Array, payloadOffset: number, tagOffset: number): void
  /** The payload, perhaps where it was: it is valid until the packet's buffer is used again. undefined: it is forged, and not there any more. */
  open(nonce: Uint8Array, packet: Uint8Array, payloadOffset: number, tagOffset: number): Uint8Array | undefined
}

export interface HeaderCipher {
  /** For the 16 bytes at packet[at]: the mask, of which five bytes are used. Valid until the next call. */
  mask(packet: Uint8Array, at: number): Uint8Array
}

const CHOICES = ['auto', 'openssl', 'node']

/** What was chosen, and why: the end of a line of the log. */
export interface ChosenCiphers {
  readonly ciphers: PacketCiphers
  readonly why: string
}

let chosen: ChosenCiphers | undefined

/** Those of this process. Throws ChoiceError. */
export function chosenCiphers(): ChosenCiphers {
  chosen ??= chooseCiphers(process.env.MASQUE_CRYPTO)
  return chosen
}

/** `load`: for tests. Throws ChoiceError. */
export function chooseCiphers(
  choice: string | undefined,
  load: () => PacketCiphers | string = loadOpensslCiphers,
): ChosenCiphers {
  // Empty is how a shell leaves out a variable for one command.
  const wanted = choice === undefined || choice === '' ? 'auto' : choice
  if (!CHOICES.includes(wanted)) {
    throw new ChoiceError(`MASQUE_CRYPTO is ${JSON.stringify(choice)}; expected auto, openssl or node`)
  }
  if (wanted === 'node') return { ciphers: NODE_CIPHERS, why: 'packets by node:crypto: MASQUE_CRYPTO says so' }
  const openssl = load()
  if (typeof openssl !== 'string') return { ciphers: openssl, why: 'packets by the functions of OpenSSL' }
  if (wanted === 'auto') return { ciphers: NODE_CIPHERS, why: `packets by node:crypto: ${openssl}` }
  throw new ChoiceError(`MASQUE_CRYPTO is "openssl", which cannot be had here: ${openssl}; use auto`)
}
