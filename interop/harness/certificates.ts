import { makeTestCertificates, type TestCertificates } from '../../src/cert/make-certificates.ts'
import { scratchFolder } from '../../test/support/scratch.ts'

let made: Promise<TestCertificates> | undefined

/** One set of our own certificates for all peers but the Go ones, made when first asked for and removed at the end. */
export function ourCertificates(): Promise<TestCertificates> {
  made ??= (() => {
    return makeTestCertificates(scratchFolder('masque-interop-'), { clientNames: ['interop-client'] })
  })()
  return made
}
