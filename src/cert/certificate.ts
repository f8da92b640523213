/**
 * Writes X.509 certificates, RFC 5280 §4.1: what one says, and a signature over it.
 *
 *     Certificate  ::=  SEQUENCE  {
 *          tbsCertificate       TBSCertificate,
 *          signatureAlgorithm   AlgorithmIdentifier,
 *          signatureValue       BIT STRING  }
 */
import { createPublicKey, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIPv4, isIPv6 } from 'node:net'
import {
  bitString,
  boolean,
  contextTag,
  DerTag,
  der,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  time,
  utf8String,
} from './der.ts'

export const Oid = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** What a certificate says. */
export interface CertificateFields {
  /** A `distinguishedName`. */
  issuer: Uint8Array
  notBefore: Date
  notAfter: Date
  /** A `distinguishedName`. */
  subject: Uint8Array
  /** SubjectPublicKeyInfo. */
  publicKey: Uint8Array
  extensions: Uint8Array[]
}

export interface Signer {
  /** AlgorithmIdentifier. */
  algorithm: Uint8Array
  sign(toBeSigned: Uint8Array): Uint8Array
}

/** In DER. */
export function encodeCertificate(fields: CertificateFields, signer: Signer): Uint8Array {
  const { issuer, notBefore, notAfter, subject, publicKey, extensions } = fields
  const toBeSigned = sequence(
    contextTag(0, true, integer(Uint8Array.of(2))), // version 3
    integer(Uint8Array.of(0x40, ...randomBytes(15))), // the serial number: positive, and always 16 bytes long
    signer.algorithm,
    issuer,
    sequence(time(notBefore), time(notAfter)),
    subject,
    publicKey,
    ...(extensions.length === 0 ? [] : [contextTag(3, true, sequence(...extensions))]),
  )
  return sequence(toBeSigned, signer.algorithm, bitString(signer.sign(toBeSigned)))
}

export function ecdsaWithSha256(key: KeyObject): Signer {
  return {
    algorithm: sequence(objectIdentifier(Oid.ecdsaWithSha256)),
    sign: toBeSigned => sign('sha256', toBeSigned, key),
  }
}

/** Attributes by object identifier, in order. */
export function distinguishedName(...attributes: (readonly [string, string])[]): Uint8Array {
  return sequence(
    ...attributes.map(([id, value]) => der(DerTag.SET, sequence(objectIdentifier(id), utf8String(value)))),
  )
}

export function publicKeyInfo(key: KeyObject): Uint8Array {
  return Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' }))
}

/** RFC 5280 §4.2. */
export function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array {
  return sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value))
}

/** §4.2.1.9. `pathLength`: how many more authorities may follow an authority; undefined: any number. */
export function basicConstraints(isCa: boolean, pathLength?: number): Uint8Array {
  const length = pathLength === undefined ? [] : [integer(Uint8Array.of(pathLength))]
  return extension(Oid.basicConstraints, true, isCa ? sequence(boolean(true), ...length) : sequence())
}

/** Bits of `keyUsage`, which counts them from the left. */
export const KeyUsageBit = { digitalSignature: 0x80, keyCertSign: 0x04, cRLSign: 0x02 } as const

/** §4.2.1.3. `bits`: one at least. */
export function keyUsage(bits: number): Uint8Array {
  const unused = 31 - Math.clz32(bits & -bits)
  return extension(Oid.keyUsage, true, bitString(Uint8Array.of(bits), unused))
}

/** §4.2.1.12. */
export function extendedKeyUsage(purposes: readonly string[]): Uint8Array {
  return extension(Oid.extendedKeyUsage, false, sequence(...purposes.map(objectIdentifier)))
}

/** §4.2.1.6: DNS names and IP addresses. */
export function subjectAltName(names: readonly string[]): Uint8Array {
  return extension(Oid.subjectAltName, false, sequence(...names.map(generalName)))
}

/** dNSName is [2], iPAddress is [7] and holds the address bytes. */
function generalName(name: string): Uint8Array {
  if (isIPv4(name)) return contextTag(7, false, Uint8Array.from(name.split('.').map(Number)))
  if (isIPv6(name)) return contextTag(7, false, ipv6Bytes(name))
  return contextTag(2, false, new TextEncoder().encode(name))
}

function ipv6Bytes(text: string): Uint8Array {
  const [head = '', tail] = text.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)))
  const left = groups(head)
  const right = tail === undefined ? [] : groups(tail)
  const all = [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right]
  return Uint8Array.from(all.flatMap(group => [group >> 8, group & 0xff]))
}

export function toPem(certificate: Uint8Array): string {
  const base64 = Buffer.from(certificate).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`
}
