/**
 * A certificate, RFC 5280 §4.1: what `node:crypto` does not tell of one, and is needed to verify a chain.
 *
 *     TBSCertificate  ::=  SEQUENCE  {
 *         version         [0]  EXPLICIT Version DEFAULT v1,
 *         serialNumber         CertificateSerialNumber,
 *         signature            AlgorithmIdentifier,
 *         issuer               Name,
 *         validity             SEQUENCE { notBefore Time, notAfter Time },
 *         subject              Name,
 *         subjectPublicKeyInfo SubjectPublicKeyInfo,
 *         issuerUniqueID  [1]  IMPLICIT UniqueIdentifier OPTIONAL,
 *         subjectUniqueID [2]  IMPLICIT UniqueIdentifier OPTIONAL,
 *         extensions      [3]  EXPLICIT Extensions OPTIONAL  }
 */
import { type KeyObject, X509Certificate } from 'node:crypto'
import { DecodeError } from '../../bytes/errors.ts'
import { TlsAlert } from '../alert.ts'
import { boolean, contextTag, DerReader, namedBits, objectIdentifier, smallInteger, Tag, time } from './der.ts'
import { readSignatureAlgorithm, type SignatureAlgorithm } from './signature-algorithm.ts'

/** Extensions of certificates, RFC 5280 §4.2.1. */
export const CertificateExtension = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32',
  extendedKeyUsage: '2.5.29.37',
} as const

/** Bits of keyUsage, §4.2.1.3. */
export const KeyUsage = { digitalSignature: 1 << 0, keyCertSign: 1 << 5 } as const

export interface Certificate {
  readonly der: Uint8Array
  /** For signatures and names. */
  readonly x509: X509Certificate
  readonly publicKey: KeyObject
  /** Names in DER, to be compared byte by byte. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  readonly notBeforeMs: number
  readonly notAfterMs: number
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly isCa: boolean
  /** How many certificates of CAs may be between this one and the leaf. */
  readonly pathLength: number | undefined
  /** undefined: it may be used for all. */
  readonly keyUsage: number | undefined
  readonly extendedKeyUsage: readonly string[] | undefined
  /** Content of extensions by object identifier. */
  readonly extensions: ReadonlyMap<string, { critical: boolean; value: Uint8Array }>
}

/** Throws TlsAlert when it is none. */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    const x509 = new X509Certificate(der)
    return { der, x509, publicKey: publicKeyOf(x509), ...read(der) }
  } catch (cause) {
    if (cause instanceof TlsAlert) throw cause
    throw new TlsAlert('bad_certificate', `no X.509 certificate: ${(cause as Error).message}`)
  }
}

function publicKeyOf(x509: X509Certificate): KeyObject {
  try {
    return x509.publicKey
  } catch (cause) {
    throw new TlsAlert(
      'unsupported_certificate',
      `the key of a certificate cannot be used: ${(cause as Error).message}`,
    )
  }
}

function read(der: Uint8Array): Omit<Certificate, 'der' | 'x509' | 'publicKey'> {
  const outer = new DerReader(der)
  const certificate = outer.sequence()
  outer.expectEnd()
  const fields = certificate.sequence()
  const signatureAlgorithm = readSignatureAlgorithm(certificate.sequence())
  certificate.take(Tag.BIT_STRING)
  certificate.expectEnd()

  fields.takeIf(contextTag(0, true))
  fields.take(Tag.INTEGER)
  fields.sequence()
  const issuer = fields.takeWhole(Tag.SEQUENCE)
  const validity = fields.sequence()
  const notBefore = validity.takeAny()
  const notAfter = validity.takeAny()
  validity.expectEnd()
  const subject = fields.takeWhole(Tag.SEQUENCE)
  fields.sequence()
  fields.takeIf(contextTag(1, false))
  fields.takeIf(contextTag(2, false))
  const list = fields.takeIf(contextTag(3, true))
  fields.expectEnd()

  const extensions = list === undefined ? new Map() : readExtensions(list)
  const contentOf = (id: string): DerReader | undefined => {
    const extension = extensions.get(id)
    return extension && new DerReader(extension.value)
  }
  return {
    issuer,
    subject,
    notBeforeMs: time(notBefore.tag, notBefore.content),
    notAfterMs: time(notAfter.tag, notAfter.content),
    signatureAlgorithm,
    ...basicConstraints(contentOf(CertificateExtension.basicConstraints)),
    keyUsage: keyUsage(contentOf(CertificateExtension.keyUsage)),
    extendedKeyUsage: extendedKeyUsage(contentOf(CertificateExtension.extendedKeyUsage)),
    extensions,
  }
}

/** `Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }`, each once. */
function readExtensions(bytes: Uint8Array): Map<string, { critical: boolean; value: Uint8Array }> {
  const outer = new DerReader(bytes)
  const list = outer.sequence()
  outer.expectEnd()
  const extensions = new Map<string, { critical: boolean; value: Uint8Array }>()
  while (!list.atEnd) {
    const extension = list.sequence()
    const id = objectIdentifier(extension.take(Tag.OBJECT_IDENTIFIER))
    const critical = extension.takeIf(Tag.BOOLEAN)
    const value = extension.take(Tag.OCTET_STRING)
    extension.expectEnd()
    if (extensions.has(id)) throw new DecodeError(`extension ${id} comes twice`)
    extensions.set(id, { critical: critical !== undefined && boolean(critical), value })
  }
  return extensions
}

/** `SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }`, §4.2.1.9. */
function basicConstraints(value: DerReader | undefined): { isCa: boolean; pathLength: number | undefined } {
  const fields = value?.sequence()
  value?.expectEnd()
  const ca = fields?.takeIf(Tag.BOOLEAN)
  const pathLength = fields?.takeIf(Tag.INTEGER)
  fields?.expectEnd()
  return { isCa: ca !== undefined && boolean(ca), pathLength: pathLength && smallInteger(pathLength) }
}

/** §4.2.1.3. */
function keyUsage(value: DerReader | undefined): number | undefined {
  if (value === undefined) return undefined
  const bits = namedBits(value.take(Tag.BIT_STRING))
  value.expectEnd()
  return bits
}

/** `SEQUENCE SIZE (1..MAX) OF KeyPurposeId`, §4.2.1.12. */
function extendedKeyUsage(value: DerReader | undefined): string[] | undefined {
  if (value === undefined) return undefined
  const list = value.sequence()
  value.expectEnd()
  const purposes: string[] = []
  while (!list.atEnd) purposes.push(objectIdentifier(list.take(Tag.OBJECT_IDENTIFIER)))
  return purposes
}
