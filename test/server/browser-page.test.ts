import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import { startApiServer } from '../../src/server/api-server.ts'
import { certificateHash, loopbackOrigins, pinningProblem } from '../../src/server/browser-page.ts'
import { ServerMetrics } from '../../src/server/metrics.ts'
import { ROOT } from '../docs/repository.ts'
import { testCertificates } from '../support/certificates.ts'
import { scratchFolder } from '../support/scratch.ts'
import { FakeApiSource } from './fake-api-source.ts'

/** A module of the page. TypeScript knows nothing of it. */
const module = (name: string) => import(join(ROOT, 'src/server/browser', name))

describe('what the proxy serves to browsers', () => {
  it('is a page with its scripts, which take nothing from elsewhere', async () => {
    const source = new FakeApiSource()
    const browser = {
      host: '127.0.0.1',
      port: 4433,
      path: '/webtransport',
      certificateHash: 'aGFzaA==',
      certificateProblem: undefined,
      needsToken: false,
    }
    const api = await startApiServer({
      host: '127.0.0.1',
      port: 0,
      source,
      metrics: new ServerMetrics(source),
      browser,
    })
    try {
      const page = await fetch(`${api.url}/browser/`)
      expect(page.headers.get('content-type')).to.equal('text/html; charset=utf-8')
      expect(page.headers.get('content-security-policy')).to.match(/^default-src 'none'; script-src 'self';/)
      for (const [, name] of (await page.text()).matchAll(/(?:href|src)="([^"]+)"/g)) {
        expect((await fetch(`${api.url}/browser/${name}`)).status, name).to.equal(200)
      }
      for (const name of ['page.mjs', 'tunnel.mjs', 'capsules.mjs', 'packets.mjs', 'bytes.mjs']) {
        const script = await fetch(`${api.url}/browser/${name}`)
        expect(script.headers.get('content-type'), name).to.equal('text/javascript; charset=utf-8')
        for (const [, imported] of (await script.text()).matchAll(/from '([^']+)'/g)) {
          expect((await fetch(new URL(imported, script.url))).status, imported).to.equal(200)
        }
      }
      expect(await (await fetch(`${api.url}/browser/connection.json`)).json()).to.include({
        port: 4433,
        needsToken: false,
      })
      expect((await fetch(`${api.url}/browser/../config.ts`)).status).to.equal(404)
    } finally {
      await api.close()
    }
  })

  it('tells of a tunnel first, and then of the addresses in it, however early they have come', async () => {
    const { Tunnel } = await module('tunnel.mjs')
    const { CapsuleType, encodeCapsule } = await module('capsules.mjs')
    // Of request 1: 10.89.0.2/32. It is there before anybody asks.
    const assigned = encodeCapsule(CapsuleType.ADDRESS_ASSIGN, Uint8Array.of(1, 4, 10, 89, 0, 2, 32))
    const stream = () => ({
      readable: new ReadableStream({ start: controller => controller.enqueue(assigned) }),
      writable: new WritableStream(),
    })
    const told: string[] = []
    const before = Object.getOwnPropertyDescriptor(globalThis, 'WebTransport')
    const WebTransport = class {
      ready = Promise.resolve()
      closed = new Promise(() => {})
      datagrams = { maxDatagramSize: 1200, readable: new ReadableStream(), writable: new WritableStream() }
      createBidirectionalStream = async () => stream()
    }
    Object.defineProperty(globalThis, 'WebTransport', { configurable: true, value: WebTransport })
    try {
      const tunnel = await Tunnel.open('https://127.0.0.1/webtransport', undefined)
      await new Promise(resolve => setImmediate(resolve))
      told.push('a tunnel')
      await new Promise<void>(resolve => {
        tunnel.begin({
          onAddresses(addresses: { address: Uint8Array }[]) {
            told.push(addresses.map(({ address }) => address.join('.')).join())
            resolve()
          },
        })
      })
      expect(told).to.deep.equal(['a tunnel', '10.89.0.2'])
    } finally {
      if (before === undefined) Reflect.deleteProperty(globalThis, 'WebTransport')
      else Object.defineProperty(globalThis, 'WebTransport', before)
    }
  })

  it('is not there where it is not configured', async () => {
    const source = new FakeApiSource()
    const api = await startApiServer({ host: '127.0.0.1', port: 0, source, metrics: new ServerMetrics(source) })
    const { status } = await fetch(`${api.url}/browser/`)
    await api.close()
    expect(status).to.equal(404)
  })

  it('names the origins of the own page, by each name of loopback', () => {
    expect(loopbackOrigins('http://127.0.0.1:8080')).to.deep.equal([
      'http://127.0.0.1:8080',
      'http://localhost:8080',
      'http://[::1]:8080',
    ])
  })

  describe('says of a certificate', () => {
    const chain = async (serverDays: number) =>
      readFileSync((await makeTestCertificates(scratchFolder('masque-page-'), { serverDays })).server)

    it('its hash, as browsers compute it', async () => {
      const pem = readFileSync((await testCertificates()).server)
      const expected = createHash('sha256').update(new X509Certificate(pem).raw).digest('base64')
      expect(certificateHash(pem)).to.equal(expected)
    })

    it('nothing when browsers take it', async () => {
      expect(pinningProblem(await chain(13), Date.now())).to.equal(undefined)
    })

    it('that it lives too long, or no longer, and how to make another', async () => {
      const advice = /; make another with `npm run cert -- --days 13`, and start the proxy again$/
      expect(pinningProblem(await chain(15), Date.now()))
        .to.match(/^it is valid for 15 days, and at most 14/)
        .and.match(advice)
      const later = Date.now() + 20 * 86_400_000
      expect(pinningProblem(await chain(13), later))
        .to.match(/^it has expired on /)
        .and.match(advice)
    })
  })

  describe('decodes what comes from the network', () => {
    it('packets, whatever is in them, without an error', async () => {
      const { describePacket, fieldsOf } = await module('packets.mjs')
      const packet = fc.tuple(fc.constantFrom(0x45, 0x46, 0x4f, 0x60, 0x00), fc.uint8Array({ maxLength: 100 }))
      fc.assert(
        fc.property(packet, ([first, rest]) => {
          const bytes = Uint8Array.of(first, ...rest)
          expect(describePacket(bytes)).to.be.a('string')
          for (const [, , at, length] of fieldsOf(bytes)) expect(at + length).to.be.at.most(bytes.length)
        }),
      )
    })

    it('capsules, wherever they are cut, and none that is too long', async () => {
      const { CapsuleParser, encodeCapsule } = await module('capsules.mjs')
      const sent: Uint8Array = encodeCapsule(3, new Uint8Array(100).fill(9))
      for (let cut = 0; cut <= sent.length; cut++) {
        const parser = new CapsuleParser()
        const found = [...parser.push(sent.slice(0, cut)), ...parser.push(sent.slice(cut))]
        expect(found.map(({ type, value }) => [type, value.length])).to.deep.equal([[3, 100]])
      }
      expect(() => new CapsuleParser().push(Uint8Array.of(0, 0xbf, 0xff, 0xff, 0xff))).to.throw(/at most 65543/)
    })

    it('addresses, as the proxy writes them', async () => {
      const { formatAddress, parseAddress } = await module('bytes.mjs')
      for (const text of ['10.90.0.1', 'fd00:90::1', '::', '::1', '2001:db8:0:1:1:1:1:1', 'fe80::']) {
        expect(formatAddress(parseAddress(text))).to.equal(text)
      }
      for (const text of ['', '1.2.3', '1.2.3.256', '01.2.3.4', 'host', 'fd00::90::1', ':']) {
        expect(parseAddress(text), text).to.equal(undefined)
      }
    })
  })
})
