import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import type { TlsMaterial } from '../../src/quic/quic.ts'

let made: Promise<TestCertificates> | undefined

/** One set of certificates for the whole test run, made when first asked for and removed at the end. */
export function testCertificates(): Promise<TestCertificates> {
  made ??= (() => {
    const directory = mkdtempSync(join(tmpdir(), 'masque-test-'))
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    return makeTestCertificates(directory, {
      clientNames: ['client', 'client2'],
      serverNames: ['proxy.example'],
      // As long as it may be where a client knows it by its hash.
      serverDays: 13,
    })
  })()
  return made
}

/** By this a client knows the proxy that speaks WebTransport by the npm package. */
export async function certificateSha256(): Promise<string> {
  const { fingerprint256 } = new X509Certificate(readFileSync((await testCertificates()).server))
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

export async function serverTls(): Promise<TlsMaterial> {
  const files = await testCertificates()
  return {
    certificateChain: readFileSync(files.server),
    key: readFileSync(files.serverKey),
    ca: readFileSync(files.ca),
  }
}

export async function clientTls(name?: string): Promise<TlsMaterial> {
  const files = await testCertificates()
  const ca = readFileSync(files.ca)
  if (name === undefined) return { ca }
  return {
    ca,
    certificateChain: readFileSync(files.clients[name].certificate),
    key: readFileSync(files.clients[name].key),
  }
}
