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
import { isIPv4 } from 'node:net'
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
} from '../../src/cert/der.ts'

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

export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
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
  const hash = wanted.hash ?? 'sha256'
  const { pss } = wanted
  const algorithm =
    pss === undefined ? signatureAlgorithm(issuerKey, hash) : pssAlgorithm({ hash, maskHash: hash, salt: pss.salt })
  const extensions = extensionsOf(wanted)
  const toBeSigned = sequence(
    contextTag(0, true, integer(Uint8Array.of(2))),
    integer(Uint8Array.of(0x40, ...randomBytes(15))),
    algorithm,
    distinguishedName(wanted.issuer?.name ?? name),
    sequence(
      time(wanted.notBefore ?? new Date(Date.now() - DAY_MS)),
      time(wanted.notAfter ?? new Date(Date.now() + DAY_MS)),
    ),
    distinguishedName(name),
    wanted.publicKey ?? Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' })),
    ...(extensions.length === 0 ? [] : [contextTag(3, true, sequence(...extensions))]),
  )
  const padding = pss && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: pss.salt }
  const signature = sign(issuerKey.asymmetricKeyType === 'ed25519' ? null : hash, toBeSigned, {
    key: issuerKey,
    ...padding,
  })
  return { der: sequence(toBeSigned, algorithm, bitString(signature)), key, name }
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
  const blocks = certificates.map(
    bytes => `-----BEGIN CERTIFICATE-----\n${Buffer.from(bytes).toString('base64')}\n-----END CERTIFICATE-----\n`,
  )
  return Buffer.from(blocks.join(''))
}

export function keyPemOf(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ type: 'pkcs8', format: 'pem' }))
}

function distinguishedName(name: string): Uint8Array {
  if (name === '') return sequence()
  return sequence(der(DerTag.SET, sequence(objectIdentifier('2.5.4.3'), utf8String(name))))
}

function signatureAlgorithm(key: KeyObject, hash: string): Uint8Array {
  if (key.asymmetricKeyType === 'ed25519') return sequence(objectIdentifier('1.3.101.112'))
  if (key.asymmetricKeyType === 'rsa') {
    const id = hash === 'sha1' ? '1.2.840.113549.1.1.5' : '1.2.840.113549.1.1.11'
    return sequence(objectIdentifier(id), der(0x05))
  }
  return sequence(objectIdentifier(hash === 'sha1' ? '1.2.840.10045.4.1' : '1.2.840.10045.4.3.2'))
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

export function generalName(name: string): Uint8Array {
  if (isIPv4(name)) return contextTag(7, false, Uint8Array.from(name.split('.').map(Number)))
  if (name === '::1') return contextTag(7, false, Uint8Array.from([...new Uint8Array(15), 1]))
  return contextTag(2, false, new TextEncoder().encode(name))
}

function extensionsOf({ ca, pathLength, keyUsage, extendedKeyUsage, names, extra = [] }: Wanted): Uint8Array[] {
  const list: Uint8Array[] = []
  const add = (id: string, critical: boolean, value: Uint8Array): void => {
    list.push(sequence(objectIdentifier(id), ...(critical ? [boolean(true)] : []), octetString(value)))
  }
  if (ca !== undefined) {
    const length = pathLength === undefined ? [] : [integer(Uint8Array.of(pathLength))]
    add('2.5.29.19', true, ca ? sequence(boolean(true), ...length) : sequence())
  }
  if (keyUsage !== undefined) add('2.5.29.15', true, bitString(Uint8Array.of(keyUsage)))
  if (extendedKeyUsage !== undefined) add('2.5.29.37', false, sequence(...extendedKeyUsage.map(objectIdentifier)))
  if (names !== undefined) add('2.5.29.17', false, sequence(...names.map(generalName)))
  for (const { id, critical, value } of extra) add(id, critical, value)
  return list
}
