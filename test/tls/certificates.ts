/** Certificates of every kind, good and bad, for tests of who is believed. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import {
  basicConstraints,
  distinguishedName,
  ecdsaWithSha256,
  encodeCertificate,
  extendedKeyUsage,
  extension,
  keyUsage,
  Oid,
  publicKeyInfo,
  type Signer,
  subjectAltName,
  toPem,
} from '../../src/cert/certificate.ts'
import { contextTag, der, integer, objectIdentifier, sequence } from '../../src/cert/der.ts'

export type KeyKind = 'P-256' | 'P-384' | 'Ed25519' | 'RSA-2048' | 'RSA-1024' | 'RSA-PSS'

export interface Issued {
  der: Uint8Array
  key: KeyObject
  name: string
}

export interface Wanted {
  name?: string
  key?: KeyKind | KeyObject
  /** SubjectPublicKeyInfo, of a key that nobody has. */
  publicKey?: Uint8Array
  /** Default: itself. */
  issuer?: Issued
  notBefore?: Date
  notAfter?: Date
  /** undefined: no basicConstraints. */
  ca?: boolean
  pathLength?: number
  /** Bits from the left: 0x80 is digitalSignature, 0x04 keyCertSign. undefined: no such extension. */
  keyUsage?: number
  extendedKeyUsage?: string[]
  names?: string[]
  extra?: { id: string; critical: boolean; value: Uint8Array }[]
  /** Default sha256. */
  hash?: string
  /** RSASSA-PSS with a salt of so many bytes, and not the older padding of RSA. */
  pss?: { salt: number }
  /** A signature of somebody else. */
  forged?: boolean
}

export const SERVER_AUTH = Oid.serverAuth
export const CLIENT_AUTH = Oid.clientAuth
const DAY_MS = 86_400_000

const keys = new Map<KeyKind, KeyObject[]>()

/** Makes a key; RSA takes so long that those are used again. */
export function newKey(kind: KeyKind): KeyObject {
  const known = keys.get(kind)
  if (known !== undefined && kind.startsWith('RSA')) return known[0]
  const pem = {
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  } as const
  const { privateKey } =
    kind === 'Ed25519'
      ? generateKeyPairSync('ed25519', pem)
      : kind === 'RSA-PSS'
        ? generateKeyPairSync('rsa-pss', { modulusLength: 2048, ...pem })
        : kind.startsWith('RSA')
          ? generateKeyPairSync('rsa', { modulusLength: Number(kind.slice(4)), ...pem })
          : generateKeyPairSync('ec', { namedCurve: kind, ...pem })
  const key = createPrivateKey(privateKey as unknown as string)
  keys.set(kind, [key])
  return key
}

export function issue(wanted: Wanted = {}): Issued {
  const { key: kind = 'P-256' } = wanted
  const key = typeof kind === 'string' ? newKey(kind) : kind
  const name = wanted.name ?? `c-${randomBytes(4).toString('hex')}`
  const issuerKey = wanted.forged === true ? newKey('P-256') : (wanted.issuer?.key ?? key)
  const certificate = encodeCertificate(
    {
      issuer: named(wanted.issuer?.name ?? name),
      notBefore: wanted.notBefore ?? new Date(Date.now() - DAY_MS),
      notAfter: wanted.notAfter ?? new Date(Date.now() + DAY_MS),
      subject: named(name),
      publicKey: wanted.publicKey ?? publicKeyInfo(key),
      extensions: extensionsOf(wanted),
    },
    signerWith(issuerKey, wanted),
  )
  return { der: certificate, key, name }
}

/** A root as it should be. */
export function issueRoot(wanted: Wanted = {}): Issued {
  return issue({ name: 'root', ca: true, keyUsage: 0x04, ...wanted })
}

/** A server's as it should be. */
export function issueServer(issuer: Issued, wanted: Wanted = {}): Issued {
  return issue({ issuer, keyUsage: 0x80, extendedKeyUsage: [SERVER_AUTH], names: ['proxy.example'], ...wanted })
}

/** SubjectPublicKeyInfo of an RSA key, of numbers in bytes. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Uint8Array {
  return createPublicKey({
    key: {
      kty: 'RSA',
      n: Buffer.from(modulus).toString('base64url'),
      e: Buffer.from(exponent).toString('base64url'),
    },
    format: 'jwk',
  }).export({ type: 'spki', format: 'der' })
}

export function pemOf(...certificates: Uint8Array[]): Uint8Array {
  return Buffer.from(certificates.map(toPem).join(''))
}

/** As both ends are given who they are. */
export function identityOf({ der, key }: Issued): { certificateChain: Uint8Array; key: Uint8Array } {
  return { certificateChain: pemOf(der), key: keyPemOf(key) }
}

export function keyPemOf(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }))
}

function named(name: string): Uint8Array {
  return name === '' ? distinguishedName() : distinguishedName([Oid.commonName, name])
}

function signerWith(key: KeyObject, { hash = 'sha256', pss }: Wanted): Signer {
  if (pss !== undefined) {
    const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pss.salt }
    return {
      algorithm: pssAlgorithm({ hash, maskHash: hash, salt: pss.salt }),
      sign: toBeSigned => sign(hash, toBeSigned, { key, ...padding }),
    }
  }
  if (key.asymmetricKeyType === 'ed25519') {
    return { algorithm: sequence(objectIdentifier('1.3.101.112')), sign: toBeSigned => sign(null, toBeSigned, key) }
  }
  const signed = (toBeSigned: Uint8Array): Uint8Array => sign(hash, toBeSigned, key)
  if (key.asymmetricKeyType === 'rsa') {
    const id = hash === 'sha1' ? '1.2.840.113549.1.1.5' : '1.2.840.113549.1.1.11'
    return { algorithm: sequence(objectIdentifier(id), der(0x05)), sign: signed }
  }
  if (hash === 'sha1') return { algorithm: sequence(objectIdentifier('1.2.840.10045.4.1')), sign: signed }
  return ecdsaWithSha256(key)
}

export const HASHES: Record<string, string> = {
  sha1: '1.3.14.3.2.26',
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}

/** AlgorithmIdentifier of RSASSA-PSS (RFC 4055 §3.1); what is undefined is left out. */
export function pssAlgorithm(fields: {
  hash?: string
  maskHash?: string
  salt?: number
  trailer?: number
}): Uint8Array {
  const { hash, maskHash, salt, trailer } = fields
  const hashId = (name: string): Uint8Array => sequence(objectIdentifier(HASHES[name]), der(0x05))
  const list: Uint8Array[] = []
  if (hash !== undefined) list.push(contextTag(0, true, hashId(hash)))
  if (maskHash !== undefined) {
    list.push(contextTag(1, true, sequence(objectIdentifier('1.2.840.113549.1.1.8'), hashId(maskHash))))
  }
  if (salt !== undefined) list.push(contextTag(2, true, integer(Uint8Array.of(salt))))
  if (trailer !== undefined) list.push(contextTag(3, true, integer(Uint8Array.of(trailer))))
  return sequence(objectIdentifier('1.2.840.113549.1.1.10'), sequence(...list))
}

function extensionsOf(wanted: Wanted): Uint8Array[] {
  const list: Uint8Array[] = []
  if (wanted.ca !== undefined) list.push(basicConstraints(wanted.ca, wanted.pathLength))
  if (wanted.keyUsage !== undefined) list.push(keyUsage(wanted.keyUsage))
  if (wanted.extendedKeyUsage !== undefined) list.push(extendedKeyUsage(wanted.extendedKeyUsage))
  if (wanted.names !== undefined) list.push(subjectAltName(wanted.names))
  for (const { id, critical, value } of wanted.extra ?? []) list.push(extension(id, critical, value))
  return list
}
