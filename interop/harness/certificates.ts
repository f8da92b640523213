import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'

let made: Promise<TestCertificates> | undefined

/** One set of our own certificates for all peers but the Go ones, made when first asked for and removed at the end. */
export function ourCertificates(): Promise<TestCertificates> {
  made ??= (() => {
    const directory = mkdtempSync(join(tmpdir(), 'masque-interop-'))
    process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
    return makeTestCertificates(directory, { clientNames: ['interop-client'] })
  })()
  return made
}
