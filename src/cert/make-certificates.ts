/**
 * Certificates without openssl: a certificate authority, a server and clients, made by Node alone.
 *
 * `cert/generate.sh` and `cert/generate.ps1` show the same with the tool that one meets everywhere. This file is for
 * what has to run on a machine with Node and npm and nothing else: the demonstration of lab 1 and the tests.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { isIPv4, isIPv6 } from 'node:net'
import { join } from 'node:path'
import { makeFolder } from '../config/write-file.ts'
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

/** Paths of the files that were written, all PEM. Keys are readable by their owner only. */
export interface TestCertificates {
  ca: string
  caKey: string
  server: string
  serverKey: string
  /** By client name, which is also the common name in the certificate. */
  clients: Record<string, { certificate: string; key: string }>
}

export interface TestCertificateOptions {
  /** How long the server certificate is valid, in days from `notBefore`. Default 30. `notAfter` wins over it. */
  serverDays?: number
  /** Start of validity of every certificate. Default: an hour ago, so that clocks may differ a little. */
  notBefore?: Date
  /** End of validity of the server certificate. The others are valid for 30 days at least. */
  notAfter?: Date
  /** Default `['client']`. */
  clientNames?: string[]
  /** For clients whose certificates shall not simply name them: all common names of the subject, which is empty without any. */
  clientCommonNames?: Record<string, string[]>
  /** DNS names and IP addresses of the server beside localhost, 127.0.0.1 and ::1. */
  serverNames?: string[]
}

const DAY_MS = 86_400_000

const Oid = {
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

interface Authority {
  name: string
  key: KeyObject
  keyId: Uint8Array
}

interface CertificateRequest {
  commonNames: string[]
  notBefore: Date
  notAfter: Date
  role: 'ca' | 'server' | 'client'
  /** DNS names and IP addresses that the server may be reached by. */
  subjectAltNames?: string[]
}

/**
 * Makes a CA, a server certificate (localhost, 127.0.0.1, ::1) and client certificates (ECDSA P-256) in `directory`,
 * which is created if it is missing. Files: `ca.pem`, `ca-key.pem`, `server.pem`, `server-key.pem`, `NAME.pem`, `NAME-key.pem`.
 */
export async function makeTestCertificates(
  directory: string,
  options: TestCertificateOptions = {},
): Promise<TestCertificates> {
  const clientNames = options.clientNames ?? ['client']
  for (const name of clientNames) {
    if (!/^[\w][\w.-]*$/.test(name) || name === 'ca' || name === 'server') {
      throw new Error(`client name '${name}': letters, digits, '.', '_' and '-' are expected, and not 'ca' or 'server'`)
    }
  }
  const notBefore = options.notBefore ?? new Date(Date.now() - 3_600_000)
  const notAfter = options.notAfter ?? new Date(notBefore.getTime() + (options.serverDays ?? 30) * DAY_MS)
  // A server certificate that has expired must be the only thing wrong with a test's set of certificates.
  const othersNotAfter = new Date(Math.max(notAfter.getTime(), Date.now() + 30 * DAY_MS))
  makeFolder(directory)

  const caKey = newKey()
  const authority: Authority = { name: 'masque-lab CA', key: caKey, keyId: keyIdentifier(caKey) }
  const issue = async (file: string, key: KeyObject, request: CertificateRequest) => {
    const paths = { certificate: join(directory, `${file}.pem`), key: join(directory, `${file}-key.pem`) }
    await writeFresh(paths.key, key.export({ type: 'pkcs8', format: 'pem' }).toString(), 0o600)
    await writeFresh(paths.certificate, toPem(certificate(request, key, authority)), 0o644)
    return paths
  }

  const ca = await issue('ca', caKey, {
    commonNames: [authority.name],
    notBefore,
    notAfter: othersNotAfter,
    role: 'ca',
  })
  const server = await issue('server', newKey(), {
    commonNames: ['localhost'],
    notBefore,
    notAfter,
    role: 'server',
    subjectAltNames: ['localhost', '127.0.0.1', '::1', ...(options.serverNames ?? [])],
  })
  const clients: TestCertificates['clients'] = {}
  for (const name of clientNames) {
    clients[name] = await issue(name, newKey(), {
      commonNames: options.clientCommonNames?.[name] ?? [name],
      notBefore,
      notAfter: othersNotAfter,
      role: 'client',
    })
  }
  return { ca: ca.certificate, caKey: ca.key, server: server.certificate, serverKey: server.key, clients }
}

function newKey(): KeyObject {
  // By way of PEM: `generateKeyPairSync` types its key objects differently depending on the encoding options.
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return createPrivateKey(privateKey)
}

/** A file is replaced, never rewritten: the mode of an old one would stay as it was. */
async function writeFresh(file: string, text: string, mode: number): Promise<void> {
  await rm(file, { force: true })
  const handle = await open(file, 'wx', mode)
  try {
    await handle.writeFile(text)
  } finally {
    await handle.close()
  }
}

/**
 * RFC 5280 §4.1, the part that is signed and its signature:
 *
 *     Certificate  ::=  SEQUENCE  {
 *          tbsCertificate       TBSCertificate,
 *          signatureAlgorithm   AlgorithmIdentifier,
 *          signatureValue       BIT STRING  }
 */
function certificate(request: CertificateRequest, key: KeyObject, issuer: Authority): Uint8Array {
  const algorithm = sequence(objectIdentifier(Oid.ecdsaWithSha256))
  const serial = randomBytes(16)
  serial[0] = (serial[0] & 0x3f) | 0x40 // positive, and always 16 bytes long
  const toBeSigned = sequence(
    contextTag(0, true, integer(Uint8Array.of(2))), // version 3
    integer(serial),
    algorithm,
    distinguishedName([issuer.name]),
    sequence(time(request.notBefore), time(request.notAfter)),
    distinguishedName(request.commonNames),
    publicKeyInfo(key),
    contextTag(3, true, sequence(...extensions(request, key, issuer))),
  )
  return sequence(toBeSigned, algorithm, bitString(sign('sha256', toBeSigned, issuer.key)))
}

function distinguishedName(commonNames: readonly string[]): Uint8Array {
  if (commonNames.length === 0) return sequence()
  const attribute = (oid: string, value: string) => der(DerTag.SET, sequence(objectIdentifier(oid), utf8String(value)))
  return sequence(
    attribute(Oid.organization, 'masque-lab'),
    ...commonNames.map(name => attribute(Oid.commonName, name)),
  )
}

/** RFC 5280 §4.2.1: what the key may be used for, and by which names its owner is known. */
function extensions(request: CertificateRequest, key: KeyObject, issuer: Authority): Uint8Array[] {
  const extension = (oid: string, critical: boolean, value: Uint8Array) =>
    critical
      ? sequence(objectIdentifier(oid), boolean(true), octetString(value))
      : sequence(objectIdentifier(oid), octetString(value))
  const isCa = request.role === 'ca'
  const list = [
    extension(Oid.basicConstraints, true, isCa ? sequence(boolean(true), integer(Uint8Array.of(0))) : sequence()),
    // Bits count from the left: digitalSignature is bit 0, keyCertSign bit 5, cRLSign bit 6.
    extension(
      Oid.keyUsage,
      true,
      isCa ? bitString(Uint8Array.of(0b0000_0110), 1) : bitString(Uint8Array.of(0b1000_0000), 7),
    ),
    extension(Oid.subjectKeyIdentifier, false, octetString(keyIdentifier(key))),
    extension(Oid.authorityKeyIdentifier, false, sequence(contextTag(0, false, issuer.keyId))),
  ]
  if (!isCa) {
    const purpose = request.role === 'server' ? Oid.serverAuth : Oid.clientAuth
    list.push(extension(Oid.extendedKeyUsage, false, sequence(objectIdentifier(purpose))))
  }
  if (request.subjectAltNames) {
    list.push(extension(Oid.subjectAltName, false, sequence(...request.subjectAltNames.map(generalName))))
  }
  return list
}

/** RFC 5280 §4.2.1.6: dNSName is [2], iPAddress is [7] and holds the address bytes. */
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

function publicKeyInfo(key: KeyObject): Uint8Array {
  return Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' }))
}

/** RFC 7093 §2 method 1 in spirit: a hash of the public key that only has to be the same on both sides. */
function keyIdentifier(key: KeyObject): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(publicKeyInfo(key)).digest().subarray(0, 20))
}

function toPem(bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes).toString('base64')
  return `-----BEGIN CERTIFICATE-----\n${base64.match(/.{1,64}/g)!.join('\n')}\n-----END CERTIFICATE-----\n`
}
