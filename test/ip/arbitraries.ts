import { expect } from 'chai'
import fc from 'fast-check'
import { DecodeError } from '../../src/bytes/errors.ts'
import { addressLength, IpAddress, type IpVersion } from '../../src/ip/address.ts'
import { encodeIpv4 } from '../../src/ip/ipv4.ts'
import { encodeIpv6 } from '../../src/ip/ipv6.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { AddressRange } from '../../src/ip/range.ts'

export const anyVersion = fc.constantFrom<IpVersion[]>(4, 6)

export function addressOf(version: IpVersion): fc.Arbitrary<IpAddress> {
  const length = addressLength(version)
  return fc.uint8Array({ minLength: length, maxLength: length }).map(bytes => IpAddress.from(version, bytes))
}

export const anyAddress = anyVersion.chain(addressOf)

export function prefixOf(version: IpVersion): fc.Arbitrary<IpPrefix> {
  return fc
    .tuple(addressOf(version), fc.nat(addressLength(version) * 8))
    .map(([address, length]) => IpPrefix.containing(address, length))
}

export const anyPrefix = anyVersion.chain(prefixOf)

export function rangeOf(version: IpVersion): fc.Arbitrary<AddressRange> {
  return fc
    .tuple(addressOf(version), addressOf(version))
    .map(([a, b]) => (a.compare(b) <= 0 ? new AddressRange(a, b) : new AddressRange(b, a)))
}

export const anyRange = anyVersion.chain(rangeOf)

/** An address that is one host's, so that errors may be sent to it. */
export function hostAddressOf(version: IpVersion): fc.Arbitrary<IpAddress> {
  return addressOf(version).map(address => {
    const bytes = Uint8Array.from(address.bytes)
    bytes[0] = version === 4 ? 10 : 0x20
    return IpAddress.from(version, bytes)
  })
}

export const payload = fc.uint8Array({ maxLength: 100 })

/** A whole valid packet of either version with any protocol number and any payload. */
export const anyPacket = anyVersion.chain(version =>
  fc
    .tuple(addressOf(version), addressOf(version), fc.nat(255), fc.nat(255), payload)
    .map(([source, destination, protocol, hops, payload]) =>
      version === 4
        ? encodeIpv4({ source, destination, protocol, ttl: hops }, payload)
        : encodeIpv6({ source, destination, nextHeader: protocol, hopLimit: hops }, payload),
    ),
)

/**
 * Bytes that get past the first checks more often than purely random ones: the version and the lengths are made to
 * fit.
 */
export const almostPacket = fc.uint8Array({ maxLength: 120 }).chain(bytes =>
  fc.constantFrom(0, 4, 6).map(version => {
    const packet = Uint8Array.from(bytes)
    if (version === 4 && packet.length >= 20) packet.set([0x45, 0, 0, packet.length])
    if (version === 6 && packet.length >= 40) packet.set([0x60, 0, 0, 0, 0, packet.length - 40])
    return packet
  }),
)

/** Runs a decoder on hostile input: it may return, or throw a DecodeError. */
export function mayOnlyThrowDecodeError(decode: () => unknown): void {
  try {
    decode()
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
  }
}

export function hex(text: string): Uint8Array {
  return Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], byte => Number.parseInt(byte, 16))
}

export function expectBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual && Array.from(actual)).to.deep.equal(Array.from(expected))
}
