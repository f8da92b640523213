import { createPublicKey } from 'node:crypto'
import { expect } from 'chai'
import { decodeCertificate } from '../../src/tls/messages/certificate.ts'
import { signedContent } from '../../src/tls/messages/certificate-verify.ts'
import { checkSignature, chooseScheme, SIGNATURE_SCHEMES, signWith } from '../../src/tls/signature-scheme.ts'
import { Transcript } from '../../src/tls/transcript.ts'
import { parseCertificate } from '../../src/tls/x509/certificate.ts'
import { type KeyKind, newKey } from './certificates.ts'
import { expectAlert } from './expect-alert.ts'
import { SIMPLE } from './rfc8448.ts'

const CONTENT = Uint8Array.of(1, 2, 3)

describe('signature schemes', () => {
  const schemes: [KeyKind, number[]][] = [
    ['P-256', [0x0403]],
    ['P-384', [0x0503]],
    ['Ed25519', [0x0807]],
    ['RSA-2048', [0x0804, 0x0805, 0x0806]],
  ]
  for (const [kind, codes] of schemes) {
    it(`are, for ${kind}, ${codes.map(code => `0x${code.toString(16)}`).join(', ')}, and no other`, () => {
      const key = newKey(kind)
      const publicKey = createPublicKey(key)
      expect(SIGNATURE_SCHEMES.filter(code => chooseScheme(key, [code]) === code)).to.deep.equal(codes)
      for (const code of codes) {
        const signature = signWith(code, key, CONTENT)
        checkSignature(code, publicKey, CONTENT, signature)
        expectAlert('decrypt_error', () => checkSignature(code, publicKey, Uint8Array.of(1), signature))
        expectAlert('decrypt_error', () => checkSignature(code, publicKey, CONTENT, signature.subarray(1)))
        expectAlert('decrypt_error', () => checkSignature(code, publicKey, CONTENT, new Uint8Array(0)))
      }
      const other = codes.includes(0x0403) ? 0x0503 : 0x0403
      for (const code of [other, 0x0401, 0x0203, 0xffff]) {
        expectAlert('illegal_parameter', () =>
          checkSignature(code, publicKey, CONTENT, signWith(codes[0], key, CONTENT)),
        )
      }
    })
  }

  it('verify the CertificateVerify of RFC 8448 §3', () => {
    const transcript = new Transcript('sha256')
    for (const message of [SIMPLE.clientHello, SIMPLE.serverHello, SIMPLE.encryptedExtensions, SIMPLE.certificate]) {
      transcript.add(message)
    }
    const [der] = decodeCertificate(SIMPLE.certificate.subarray(4))
    const content = signedContent('server', transcript.digest())
    const signature = SIMPLE.certificateVerify.subarray(8)
    checkSignature(0x0804, parseCertificate(der).publicKey, content, signature)
  })
})
