import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import type { QuicEngine } from '../../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import {
  encodeStatelessReset,
  possibleResetToken,
  StatelessResetTokens,
  statelessResetKey,
} from '../../../src/quic/typescript/stateless-reset.ts'
import { serverTls } from '../../support/certificates.ts'
import { typescriptEngines } from './engines.ts'
import { VirtualNetwork } from './virtual-network.ts'

const randomBytes = (length: number) => new Uint8Array(length).fill(0xff)

describe('stateless reset', () => {
  it('has a token for each connection id, from a key that others do not have (RFC 9000 §10.3.2)', () => {
    const tokens = new StatelessResetTokens(new Uint8Array(32).fill(1))
    const id = Uint8Array.of(1, 2, 3)
    expect(tokens.of(id).length).to.equal(16)
    expect(tokens.of(id)).to.deep.equal(new StatelessResetTokens(new Uint8Array(32).fill(1)).of(id))
    expect(tokens.of(id)).to.not.deep.equal(tokens.of(Uint8Array.of(1, 2, 4)))
    expect(tokens.of(id)).to.not.deep.equal(new StatelessResetTokens(new Uint8Array(32).fill(2)).of(id))
  })

  it('looks like a packet with a short header, and ends with the token', () => {
    const token = new Uint8Array(16).fill(7)
    const reset = encodeStatelessReset(token, 1200, randomBytes)!
    expect(reset[0] & 0xc0).to.equal(0x40)
    expect(possibleResetToken(reset)).to.deep.equal(token)
  })

  it('is shorter than what it answers, so that two do not answer one another for ever (§10.3.3)', () => {
    for (let length = 0; length < 1500; length++) {
      const reset = encodeStatelessReset(new Uint8Array(16), length, randomBytes)
      if (length < 22) expect(reset).to.equal(undefined)
      else expect(reset!.length).to.be.within(21, length - 1)
    }
  })

  it('has the key of a private key and of an address: another server with the same certificate has another (§21.11)', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const at = { host: '192.0.2.1', port: 443 }
    const key = statelessResetKey(privateKey, at)
    expect(key).to.have.length(32)
    const sameKey = createPrivateKey(privateKey.export({ type: 'sec1', format: 'pem' }))
    expect(statelessResetKey(sameKey, { ...at })).to.deep.equal(key)
    expect(statelessResetKey(privateKey, { ...at, port: 444 })).to.not.deep.equal(key)
    expect(statelessResetKey(privateKey, { ...at, host: '192.0.2.2' })).to.not.deep.equal(key)
    expect(statelessResetKey(generateKeyPairSync('ed25519').privateKey, at)).to.not.deep.equal(key)
    expect(statelessResetKey(privateKey, undefined)).to.equal(undefined)
    expect(statelessResetKey(privateKey, { ...at, port: 0 })).to.equal(undefined)
  })

  describe('of a server', () => {
    let make: (port: number) => QuicEngine
    before(async () => {
      const tls = await serverTls()
      make = port =>
        new TypescriptEngine({
          role: 'server',
          settings: DEFAULT_QUIC_SETTINGS,
          tls,
          peerCertificate: 'none',
          listensAt: { host: '192.0.2.1', port },
        })
    })
    const token = (engine: QuicEngine, packet: Uint8Array) => possibleResetToken(engine.statelessReset!(packet)!)

    it('answers whatever may be a packet with a short header by fewer bytes that end with the token of its id, and nothing else', () => {
      const engine = make(443)
      const successor = make(443)
      const neighbour = make(444)
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), packet => {
          const reset = engine.statelessReset!(packet)
          if (packet.length < 22 || packet[0] >> 6 !== 1) return reset === undefined
          expect(reset!.length).to.be.within(21, Math.min(43, packet.length - 1))
          expect(reset![0] >> 6).to.equal(1)
          expect(token(successor, packet)).to.deep.equal(possibleResetToken(reset!))
          expect(token(neighbour, packet)).to.not.deep.equal(possibleResetToken(reset!))
          return true
        }),
      )
    })

    it('has other bytes in front of the token each time', () => {
      const engine = make(443)
      const packet = new Uint8Array(100).fill(0x41)
      const heads = Array.from({ length: 20 }, () =>
        Buffer.from(engine.statelessReset!(packet)!.subarray(0, -16)).toString('hex'),
      )
      expect(new Set(heads).size).to.equal(20)
    })

    it('ends a loop of two that answer one another after few packets (§10.3.3)', () => {
      const [one, other] = [make(443), make(444)]
      let packet: Uint8Array | undefined = new Uint8Array(1200).fill(0x41)
      let answers = 0
      for (let next = one; packet !== undefined; next = next === one ? other : one) {
        packet = next.statelessReset!(packet)
        answers++
      }
      expect(answers).to.be.at.most(24)
    })
  })

  it('can answer each packet that has to be acknowledged, and look like one (§10.3)', async () => {
    const network = new VirtualNetwork((await typescriptEngines())(1))
    const lengths: number[] = []
    network.run(() => network.client.established && network.server?.established === true)
    network.run(() => false, 1000)
    network.tamper = (packet, to) => {
      if (to === 'server') lengths.push(packet.length)
      return [packet]
    }
    network.client.connection.ping()
    network.turn('client')
    expect(lengths).to.deep.equal([8 + 22])
  })
})
