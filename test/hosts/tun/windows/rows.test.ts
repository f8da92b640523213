import { expect } from 'chai'
import fc from 'fast-check'
import {
  ADDRESS_ROW_SIZE,
  INTERFACE_ROW_SIZE,
  ROUTE_ROW_SIZE,
  readRouteRow,
  SOCKADDR_INET_SIZE,
  writeAddressRow,
  writeInterfaceKey,
  writeMtu,
  writeRouteRow,
  writeSocketAddress,
} from '../../../../src/hosts/tun/windows/rows.ts'
import { IpAddress } from '../../../../src/ip/address.ts'
import { IpPrefix } from '../../../../src/ip/prefix.ts'

const prefixes = fc
  .oneof(
    fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.integer({ min: 0, max: 32 })),
    fc.tuple(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.integer({ min: 0, max: 128 })),
  )
  .map(([bytes, length]) => IpPrefix.containing(IpAddress.from(bytes.length === 4 ? 4 : 6, bytes), length))

describe('rows of the IP Helper API', () => {
  it('have a route at the places of MIB_IPFORWARD_ROW2, on the link itself', () => {
    const row = Buffer.alloc(ROUTE_ROW_SIZE, 0xee)
    writeRouteRow(row, 0x0102030405060708n, IpPrefix.parse('10.8.0.0/16'))
    expect(row.toString('hex', 0, 8)).to.equal('0807060504030201')
    expect(row.toString('hex', 12, 41)).to.equal(`0200${'0000'}0a080000${'00'.repeat(20)}10`)
    expect(row.toString('hex', 44, 72)).to.equal(`0200${'00'.repeat(26)}`)
    expect(row.readUInt32LE(84)).to.equal(9000)
  })

  it('have an IPv6 address at the places of MIB_UNICASTIPADDRESS_ROW, behind the flow', () => {
    const row = Buffer.alloc(ADDRESS_ROW_SIZE)
    writeAddressRow(row, 7n, { address: IpAddress.parse('fd07::2'), length: 128 })
    expect(row.toString('hex', 0, 28)).to.equal(`1700${'0000'}${'00000000'}fd07${'00'.repeat(13)}02${'00000000'}`)
    expect([row.readBigUInt64LE(32), row[60], row.readInt32LE(64)]).to.deep.equal([7n, 128, 4])
  })

  it('have the MTU at the place of MIB_IPINTERFACE_ROW, and no site prefix for IPv4', () => {
    for (const [version, site] of [
      [4, 0],
      [6, 64],
    ] as const) {
      const row = Buffer.alloc(INTERFACE_ROW_SIZE)
      writeInterfaceKey(row, 7n, version)
      row.writeUInt32LE(64, 144)
      writeMtu(row, 1300)
      expect([row.readUInt16LE(0), row.readBigUInt64LE(8)]).to.deep.equal([version === 4 ? 2 : 23, 7n])
      expect([row.readUInt32LE(144), row.readUInt32LE(152)]).to.deep.equal([site, 1300])
    }
  })

  it('give back the route that was written, whatever it is', () => {
    fc.assert(
      fc.property(prefixes, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (prefix, luid) => {
        const row = Buffer.alloc(ROUTE_ROW_SIZE)
        writeRouteRow(row, luid, prefix)
        const route = readRouteRow(row)
        expect(route?.luid).to.equal(luid)
        expect(String(route?.prefix)).to.equal(String(prefix))
      }),
    )
  })

  it('are no routes with an unknown family or an impossible length; nothing throws', () => {
    const row = Buffer.alloc(ROUTE_ROW_SIZE)
    expect(readRouteRow(row)).to.equal(undefined)
    writeSocketAddress(row, 12, IpAddress.parse('10.8.0.0'))
    row.writeUInt8(33, 40)
    expect(readRouteRow(row)).to.equal(undefined)
    fc.assert(
      fc.property(fc.uint8Array({ minLength: ROUTE_ROW_SIZE, maxLength: ROUTE_ROW_SIZE }), bytes => {
        readRouteRow(Buffer.from(bytes))
      }),
    )
  })

  it('have nothing of what was there before in a socket address', () => {
    const bytes = Buffer.alloc(SOCKADDR_INET_SIZE, 0xee)
    writeSocketAddress(bytes, 0, IpAddress.parse('10.8.0.1'))
    expect(bytes.toString('hex')).to.equal(`020000000a080001${'00'.repeat(20)}`)
  })
})
