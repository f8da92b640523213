import { expect } from 'chai'
import fc from 'fast-check'
import {
  BlockType,
  Direction,
  decryptionSecrets,
  enhancedPacket,
  interfaceDescription,
  interfaceStatistics,
  LINKTYPE_RAW,
  sectionHeader,
} from '../../src/capture/pcapng.ts'
import { blocksOf, optionsOf, packetOf } from './pcapng-blocks.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('pcapng', () => {
  it('begins a file with the byte-order magic, version 1.0 and a length that is not known', () => {
    const header = sectionHeader({ application: 'abcd' })
    expect(hex(header)).to.equal(
      '0a0d0d0a' +
        '28000000' +
        '4d3c2b1a' +
        '01000000' +
        'ffffffffffffffff' +
        '04000400' +
        '61626364' +
        '00000000' +
        '28000000',
    )
  })

  it('describes an interface of IP packets without a link layer, with times in microseconds', () => {
    const [block] = blocksOf(interfaceDescription({ name: 'tunnel a/0', description: 'ä' }))
    expect(block.type).to.equal(BlockType.INTERFACE_DESCRIPTION)
    expect(hex(block.body.subarray(0, 8))).to.equal(`${LINKTYPE_RAW.toString(16)}000000` + '00000000')
    const options = optionsOf(block, 8)
    expect(Buffer.from(options.get(2) ?? []).toString()).to.equal('tunnel a/0')
    expect(Buffer.from(options.get(3) ?? []).toString()).to.equal('ä')
    expect([...(options.get(9) ?? [])]).to.deep.equal([6])
  })

  it('keeps every packet, its time to the microsecond, its direction and its comment', () => {
    const packet = fc.record({
      interfaceId: fc.nat(),
      // Until the year 2255, when a number of JavaScript has no room for it any more.
      timeUs: fc.nat(Number.MAX_SAFE_INTEGER),
      direction: fc.constantFrom(Direction.INBOUND, Direction.OUTBOUND),
      bytes: fc.uint8Array({ maxLength: 100 }),
      dropped: fc.nat(),
      comment: fc.option(fc.string({ unit: 'binary', maxLength: 20 }), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 4 }), packets => {
        const file = Buffer.concat([sectionHeader({ application: 'test' }), ...packets.map(enhancedPacket)])
        const [header, ...blocks] = blocksOf(file)
        expect(header.type).to.equal(BlockType.SECTION_HEADER)
        const readable = <P extends { bytes: Uint8Array }>(all: readonly P[]) =>
          all.map(each => ({ ...each, bytes: hex(each.bytes) }))
        expect(readable(blocks.map(packetOf))).to.deep.equal(readable(packets))
      }),
    )
  })

  it('never cuts a text in the middle of a character', () => {
    const [block] = blocksOf(sectionHeader({ application: 'test', comment: `a${'ä'.repeat(40_000)}` }))
    const comment = optionsOf(block, 16).get(1) ?? new Uint8Array()
    expect(comment.length).to.equal(65_535)
    expect(new TextDecoder('utf-8', { fatal: true }).decode(comment)).to.match(/^aä+$/)
  })

  it('holds TLS secrets with their type and their length', () => {
    const [{ type, body }] = blocksOf(decryptionSecrets(Buffer.from('CLIENT_RANDOM\n')))
    expect(type).to.equal(BlockType.DECRYPTION_SECRETS)
    expect(hex(body)).to.equal(`4b534c54` + '0e000000' + `${hex(Buffer.from('CLIENT_RANDOM\n'))}0000`)
  })

  it('says at the end how many packets have passed an interface, and how many of them are not in the file', () => {
    const figures = { interfaceId: 3, startUs: 2 ** 40 + 1, endUs: 2 ** 41 + 2, received: 5, dropped: 2 }
    const [block] = blocksOf(interfaceStatistics(figures))
    expect(hex(block.body.subarray(0, 12))).to.equal('03000000' + '00020000' + '02000000')
    const options = optionsOf(block, 12)
    expect([2, 3, 4, 5].map(code => hex(options.get(code) ?? new Uint8Array()))).to.deep.equal([
      '00010000' + '01000000',
      '00020000' + '02000000',
      '0500000000000000',
      '0200000000000000',
    ])
  })
})
