/**
 * Certificates without openssl: a certificate authority, a server and clients, made by Node alone.
 *
 * `cert/generate.sh` and `cert/generate.ps1` show the same with the tool that one meets everywhere. This file is for
 * what has to run on a machine with Node and npm and nothing else: the demonstration of lab 1 and the tests.
 */
import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../config/write-file.ts'
import {
  basicConstraints,
  distinguishedName,
  ecdsaWithSha256,
  encodeCertificate,
  extendedKeyUsage,
  extension,
  KeyUsageBit,
  keyUsage,
  Oid,
  publicKeyInfo,
  subjectAltName,
  toPem,
} from './certificate.ts'
import { contextTag, octetString, sequence } from './der.ts'

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

function certificate(request: CertificateRequest, key: KeyObject, issuer: Authority): Uint8Array {
  const { commonNames, notBefore, notAfter } = request
  return encodeCertificate(
    {
      issuer: named([issuer.name]),
      notBefore,
      notAfter,
      subject: named(commonNames),
      publicKey: publicKeyInfo(key),
      extensions: extensions(request, key, issuer),
    },
    ecdsaWithSha256(issuer.key),
  )
}

function named(commonNames: readonly string[]): Uint8Array {
  if (commonNames.length === 0) return distinguishedName()
  return distinguishedName(
    [Oid.organization, 'masque-lab'],
    ...commonNames.map(name => [Oid.commonName, name] as const),
  )
}

/** RFC 5280 §4.2.1: what the key may be used for, and by which names its owner is known. */
function extensions(request: CertificateRequest, key: KeyObject, issuer: Authority): Uint8Array[] {
  const isCa = request.role === 'ca'
  const list = [
    isCa ? basicConstraints(true, 0) : basicConstraints(false),
    keyUsage(isCa ? KeyUsageBit.keyCertSign | KeyUsageBit.cRLSign : KeyUsageBit.digitalSignature),
    extension(Oid.subjectKeyIdentifier, false, octetString(keyIdentifier(key))),
    extension(Oid.authorityKeyIdentifier, false, sequence(contextTag(0, false, issuer.keyId))),
  ]
  if (!isCa) list.push(extendedKeyUsage([request.role === 'server' ? Oid.serverAuth : Oid.clientAuth]))
  if (request.subjectAltNames) list.push(subjectAltName(request.subjectAltNames))
  return list
}

/** RFC 7093 §2 method 1 in spirit: a hash of the public key that only has to be the same on both sides. */
function keyIdentifier(key: KeyObject): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(publicKeyInfo(key)).digest().subarray(0, 20))
}
