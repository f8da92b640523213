import { expect } from 'chai'
import fc from 'fast-check'
import type { Encapsulation } from '../../../src/carriers/carrier.ts'
import type { HttpVersion } from '../../../src/carriers/http-connection.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { icmpEchoRequest } from '../../../src/ip/icmp.ts'
import { packetSample } from '../../../src/live/packet-sample.ts'
import { module } from './modules.ts'

const { describeSample, layersOf } = await module('layers.mjs')

type Layer = { name: string; rfc?: [number, string?]; fields: [string, string, string][] }

function sampleOf(bytes: Uint8Array, carrier: HttpVersion, encapsulation: Encapsulation, contextId?: number) {
  return packetSample(
    { id: 'aa/4', identity: undefined, carrier, streamId: 4 },
    'from-client',
    encapsulation,
    bytes,
    contextId,
  )
}

function ping(length: number): Uint8Array {
  const [source, destination] = ['10.89.0.2', '10.90.0.1'].map(IpAddress.parse)
  return icmpEchoRequest({ source, destination, id: 0x1234, seq: 7 }, new Uint8Array(length))
}

const names = (layers: Layer[]) =>
  layers.map(({ name, rfc }) => `${name}${rfc === undefined ? '' : `, RFC ${rfc.join(' §')}`}`)
const value = (layers: Layer[], field: string) =>
  layers
    .flatMap(({ fields }) => fields)
    .find(([name]) => name === field)
    ?.slice(1)

describe('a packet in the inspector', () => {
  it('is shown from the QUIC datagram to the payload, each layer with its RFC', () => {
    const layers = layersOf(sampleOf(ping(56), 'h3', 'datagram', 0))
    expect(names(layers)).to.deep.equal([
      'QUIC DATAGRAM frame, RFC 9221 §4',
      'HTTP/3 Datagram, RFC 9297 §2.1',
      'CONNECT-IP payload, RFC 9484 §6',
      'IPv4, RFC 791 §3.1',
      'ICMP, RFC 792',
    ])
    expect(value(layers, 'Datagram Data')?.[0]).to.equal('86 bytes')
    expect(value(layers, 'Quarter Stream ID')).to.deep.equal(['1: the request on stream 4', '01'])
    expect(value(layers, 'Context ID')).to.deep.equal(['0: a whole IP packet follows', '00'])
    expect(value(layers, 'Destination address')).to.deep.equal(['10.90.0.1', '0a 5a 00 01'])
    expect(value(layers, 'Sequence number')).to.deep.equal(['7', '00 07'])
    expect(value(layers, 'ICMP checksum')?.[0]).to.match(/, correct$/)
  })

  it('is shown in a DATAGRAM capsule where it travels on a stream, whatever is below', () => {
    for (const [carrier, rfc] of [
      ['h3', 9114],
      ['h2', 9113],
      ['h1', 9484],
    ] as const) {
      const layers: Layer[] = layersOf(sampleOf(ping(56), carrier, 'single-stream', 0))
      expect(layers[0].rfc?.[0], carrier).to.equal(rfc)
      expect(names(layers)[1]).to.equal('DATAGRAM capsule, RFC 9297 §3.5')
      expect(value(layers, 'Capsule Length')).to.deep.equal(['85 bytes', '40 55'])
    }
    expect(names(layersOf(sampleOf(ping(1), 'h3', 'stream-per-packet', 0)))[0]).to.match(
      /stream for this packet alone$/,
    )
    expect(names(layersOf(sampleOf(ping(1), 'webtransport', 'datagram', 0)))[0]).to.equal('A WebTransport datagram')
  })

  it('that is longer than the sample has its true lengths, and no verdict about what is not there', () => {
    const layers = layersOf(sampleOf(ping(1200), 'h3', 'datagram', 0))
    expect(value(layers, 'Total length')?.[0]).to.equal('1228 bytes')
    expect(value(layers, 'Data')?.[0]).to.equal('1200 bytes')
    expect(value(layers, 'ICMP checksum')?.[0]).to.match(/, not judged: not all is here$/)
    expect(value(layers, 'Header checksum')?.[0]).to.match(/, correct$/)
  })

  it('on another context is not taken for an IP packet', () => {
    const sample = sampleOf(Uint8Array.of(2, 0x45, 1, 2), 'h3', 'datagram')
    expect(names(layersOf(sample)).at(-1)).to.equal('Payload')
    expect(describeSample(sample)).to.equal('on context 2, not an IP packet as such')
    expect(names(layersOf(sampleOf(new Uint8Array(0), 'h3', 'datagram'))).at(-1)).to.equal(
      'CONNECT-IP payload, RFC 9484 §6',
    )
  })

  it('has the fields of TCP and UDP', () => {
    const tcp = Uint8Array.from(
      Buffer.from('4500002800010000400600000a5900020a5a00011f90c35000000001000000025012ffff00000000', 'hex'),
    )
    const layers = layersOf(sampleOf(tcp, 'h3', 'datagram', 0))
    expect(names(layers).at(-1)).to.equal('TCP, RFC 9293 §3.1')
    expect(value(layers, 'Flags')?.[0]).to.equal('SYN, ACK')
    expect(value(layers, 'TCP source port')).to.deep.equal(['8080', '1f 90'])
  })

  it('may be anything at all', () => {
    const carriers = fc.constantFrom<HttpVersion>('h3', 'h2', 'h1', 'webtransport')
    const encapsulations = fc.constantFrom<Encapsulation>('datagram', 'single-stream', 'stream-per-packet')
    const packet = fc
      .tuple(fc.constantFrom(0, 2, 0x40), fc.constantFrom(0x45, 0x4f, 0x60, 0), fc.uint8Array({ maxLength: 400 }))
      .map(([context, first, rest]) => Uint8Array.of(context, first, ...rest))
    fc.assert(
      fc.property(
        fc.oneof(packet, fc.uint8Array({ maxLength: 12 })),
        carriers,
        encapsulations,
        (bytes, carrier, how) => {
          const sample = sampleOf(bytes, carrier, how)
          expect(describeSample(sample)).to.be.a('string')
          expect(layersOf(sample)).to.be.an('array').that.is.not.empty
        },
      ),
    )
  })
})
