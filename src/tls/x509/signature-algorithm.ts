/**
 * By which algorithm a certificate is signed, RFC 5280 §4.1.1.2. RSASSA-PSS alone says more than its name (RFC 4055 §3.1):
 *
 *     RSASSA-PSS-params  ::=  SEQUENCE  {
 *         hashAlgorithm    [0] HashAlgorithm    DEFAULT sha1,
 *         maskGenAlgorithm [1] MaskGenAlgorithm DEFAULT mgf1SHA1,
 *         saltLength       [2] INTEGER          DEFAULT 20,
 *         trailerField     [3] INTEGER          DEFAULT 1  }
 */
import { contextTag, DerReader, objectIdentifier, smallInteger, Tag } from './der.ts'

export const RSASSA_PSS = '1.2.840.113549.1.1.10'
const MGF1 = '1.2.840.113549.1.1.8'

/** With SHA-2 or EdDSA: signatures over SHA-1 and MD5 can be forged. */
const STRONG = new Set([
  '1.2.840.113549.1.1.11', // sha256WithRSAEncryption
  '1.2.840.113549.1.1.12', // sha384WithRSAEncryption
  '1.2.840.113549.1.1.13', // sha512WithRSAEncryption
  '1.2.840.10045.4.3.2', // ecdsa-with-SHA256
  '1.2.840.10045.4.3.3', // ecdsa-with-SHA384
  '1.2.840.10045.4.3.4', // ecdsa-with-SHA512
  '1.3.101.112', // Ed25519
])

/** Length in bytes of the hashes of rsa_pss_rsae_sha256, 384 and 512, by object identifier. */
const HASH_LENGTHS = new Map([
  ['2.16.840.1.101.3.4.2.1', 32],
  ['2.16.840.1.101.3.4.2.2', 48],
  ['2.16.840.1.101.3.4.2.3', 64],
])

export interface SignatureAlgorithm {
  /** Object identifier. */
  readonly id: string
  /** Whether it is one that holds. Of RSASSA-PSS: with what rsa_pss_rsae means in TLS. */
  readonly isStrong: boolean
}

/** `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }`. Throws DecodeError. */
export function readSignatureAlgorithm(fields: DerReader): SignatureAlgorithm {
  const id = objectIdentifier(fields.take(Tag.OBJECT_IDENTIFIER))
  if (id !== RSASSA_PSS) return { id, isStrong: STRONG.has(id) }
  return { id, isStrong: !fields.atEnd && isOfTls(fields.sequence()) }
}

/** RFC 8446 §4.2.3: one of three hashes, the same one for the mask, and a salt as long as that. */
function isOfTls(parameters: DerReader): boolean {
  const hash = algorithmIn(parameters, 0)
  const mask = algorithmIn(parameters, 1)
  const salt = integerIn(parameters, 2)
  const trailer = integerIn(parameters, 3)
  parameters.expectEnd()
  if (hash === undefined || mask?.id !== MGF1 || !mask.fields.has(Tag.SEQUENCE)) return false
  const maskHash = objectIdentifier(mask.fields.sequence().take(Tag.OBJECT_IDENTIFIER))
  return maskHash === hash.id && salt === HASH_LENGTHS.get(hash.id) && salt !== undefined && (trailer ?? 1) === 1
}

/** `fields`: what is left, its parameters. */
function algorithmIn(parameters: DerReader, number: number): { id: string; fields: DerReader } | undefined {
  const content = parameters.takeIf(contextTag(number, true))
  if (content === undefined) return undefined
  const fields = new DerReader(content).sequence()
  return { id: objectIdentifier(fields.take(Tag.OBJECT_IDENTIFIER)), fields }
}

function integerIn(parameters: DerReader, number: number): number | undefined {
  const content = parameters.takeIf(contextTag(number, true))
  return content && smallInteger(new DerReader(content).take(Tag.INTEGER))
}
