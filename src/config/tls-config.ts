/**
 * Certificates and keys from PEM files, checked before QUIC sees them.
 *
 * BoringSSL's own errors do not name the file, and some mistakes (a certificate that has expired) it would only notice at the peer.
 * Every problem here is one sentence with the file, what is wrong with it and what to do.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { describeExposure, OTHERS } from './private-file.ts'
import { readRegularFile, UnsuitableFileError } from './read-file.ts'

/** A certificate or key that cannot be used. */
export class TlsConfigError extends Error {
  override name = 'TlsConfigError'
}

/** PEM, as BoringSSL takes it. */
export interface TlsConfig {
  /** Our certificate, then intermediate ones. */
  certificateChain: Uint8Array
  key: Uint8Array
  /** Who must have signed the clients' certificates. */
  clientCa?: Uint8Array
  /** When the first certificate of the chain to expire does so. */
  expiresAt: Date
}

export interface ClientTlsConfig {
  /** Who must have signed the proxy's certificate; undefined: whom the system trusts. */
  ca?: Uint8Array
  certificateChain?: Uint8Array
  key?: Uint8Array
  expiresAt?: Date
}

/**
 * The server's files (ServerConfig.tls), read and checked. Throws TlsConfigError.
 *
 * `now` in ms, as from Date.now().
 */
export function loadTlsConfig(
  paths: { certificate: string; key: string; clientCa?: string; allowExposedKey?: boolean },
  now = Date.now(),
): TlsConfig {
  return {
    ...loadIdentity(paths.certificate, paths.key, paths.allowExposedKey === true, now),
    ...(paths.clientCa !== undefined && { clientCa: loadAuthorities(paths.clientCa, now) }),
  }
}

/** The client's files (ClientConfig.tls), read and checked. Throws TlsConfigError. */
export function loadClientTlsConfig(
  paths: { ca?: string; certificate?: string; key?: string; allowExposedKey?: boolean },
  now = Date.now(),
): ClientTlsConfig {
  const { ca, certificate, key } = paths
  return {
    ...(ca !== undefined && { ca: loadAuthorities(ca, now) }),
    ...(certificate !== undefined &&
      key !== undefined &&
      loadIdentity(certificate, key, paths.allowExposedKey === true, now)),
  }
}

/** A certificate chain and the key that belongs to its first certificate. */
function loadIdentity(certificateFile: string, keyFile: string, allowExposedKey: boolean, now: number): TlsConfig {
  const certificateChain = readPem(certificateFile, 'certificate')
  const chain = parseCertificates(certificateFile, certificateChain)
  for (const certificate of chain) checkValidity(certificateFile, certificate, now)

  const key = readPem(keyFile, 'private key')
  const privateKey = parseKey(keyFile, key)
  if (!allowExposedKey) checkKeyMode(keyFile)
  if (!chain[0].checkPrivateKey(privateKey)) {
    throw new TlsConfigError(
      `${keyFile}: this key does not belong to the certificate ${certificateFile}; give the pair that was made together`,
    )
  }
  return { certificateChain, key, expiresAt: new Date(Math.min(...chain.map(({ validTo }) => Date.parse(validTo)))) }
}

/** The certificates of those who may sign other certificates. */
function loadAuthorities(file: string, now: number): Uint8Array {
  const pem = readPem(file, 'CA certificate')
  for (const certificate of parseCertificates(file, pem)) {
    if (!certificate.ca) {
      throw new TlsConfigError(
        `${file}: the certificate of ${nameOf(certificate)} is not one of a CA (its basicConstraints lack CA:TRUE); give ca.pem`,
      )
    }
    checkValidity(file, certificate, now)
  }
  return pem
}

function readPem(file: string, what: string): Uint8Array {
  try {
    return Uint8Array.from(readRegularFile(file))
  } catch (cause) {
    if (cause instanceof UnsuitableFileError) {
      throw new TlsConfigError(`${file}: ${cause.message}; a file with a ${what} is expected`, { cause })
    }
    const { code, message } = cause as NodeJS.ErrnoException
    const why: Record<string, string> = {
      ENOENT: `there is no such file; a ${what} is expected (npm run cert makes one)`,
      EACCES: `no permission to read this ${what}; run this as the user whom it belongs to`,
    }
    throw new TlsConfigError(`${file}: ${why[code ?? ''] ?? `the ${what} cannot be read: ${message}`}`, { cause })
  }
}

const CERTIFICATE_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g

function parseCertificates(file: string, pem: Uint8Array): X509Certificate[] {
  const blocks = new TextDecoder('latin1').decode(pem).match(CERTIFICATE_BLOCK)
  if (blocks === null) {
    throw new TlsConfigError(`${file}: there is no certificate in it; a PEM file with BEGIN CERTIFICATE is expected`)
  }
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      const which = blocks.length > 1 ? `certificate ${i + 1} of ${blocks.length}` : 'the certificate'
      throw new TlsConfigError(`${file}: ${which} in it is damaged; make it anew (npm run cert -- --force)`, { cause })
    }
  })
}

function parseKey(file: string, pem: Uint8Array): KeyObject {
  const text = new TextDecoder('latin1').decode(pem)
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new TlsConfigError(`${file}: there is no private key in it; a PEM file with BEGIN PRIVATE KEY is expected`)
  }
  try {
    return createPrivateKey(text)
  } catch (cause) {
    const problem = text.includes('ENCRYPTED')
      ? 'the private key in it is encrypted; a key without a passphrase is expected'
      : 'the private key in it is damaged; make it anew (npm run cert -- --force)'
    throw new TlsConfigError(`${file}: ${problem}`, { cause })
  }
}

function checkValidity(file: string, certificate: X509Certificate, now: number): void {
  const whose = `the certificate of ${nameOf(certificate)}`
  if (now > Date.parse(certificate.validTo)) {
    throw new TlsConfigError(`${file}: ${whose} expired on ${certificate.validTo}; npm run cert makes a new one`)
  }
  if (now < Date.parse(certificate.validFrom)) {
    throw new TlsConfigError(
      `${file}: ${whose} is not valid before ${certificate.validFrom}; check the clock of this machine`,
    )
  }
}

function checkKeyMode(file: string): void {
  const exposure = describeExposure(file, { forbidden: OTHERS, what: 'key', accept: 'tls.allow_exposed_key' })
  if (exposure !== undefined) throw new TlsConfigError(`${file}: ${exposure}`)
}

/** The subject of a certificate on one line. */
function nameOf(certificate: X509Certificate): string {
  const commonName = certificate.subject?.split('\n').find(part => part.startsWith('CN='))
  return (
    commonName?.slice('CN='.length) ?? certificate.subject?.replaceAll('\n', ', ') ?? 'nobody (its subject is empty)'
  )
}
