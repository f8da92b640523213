/**
 * Capsules in hexadecimal, as Wireshark copies them, in words.
 *
 *     npx tsx examples/decode-capsule.ts 01 07 00 04 c0 00 02 2a 20
 */
import { decodeAddressAssign } from '../src/connect-ip/address-assign.ts'
import { decodeAddressRequest } from '../src/connect-ip/address-request.ts'
import { CapsuleParser, CapsuleType } from '../src/connect-ip/capsule.ts'
import { decodeRouteAdvertisement, describeRoute } from '../src/connect-ip/route-advertisement.ts'

const bytes = Buffer.from(process.argv.slice(2).join(''), 'hex')
const parser = new CapsuleParser()
for (const { type, value } of parser.push(bytes)) {
  switch (type) {
    case CapsuleType.ADDRESS_ASSIGN:
      for (const { requestId, prefix } of decodeAddressAssign(value))
        console.log(`ADDRESS_ASSIGN ${prefix}, request ${requestId}`)
      break
    case CapsuleType.ADDRESS_REQUEST:
      for (const { requestId, prefix } of decodeAddressRequest(value))
        console.log(`ADDRESS_REQUEST ${prefix}, request ${requestId}`)
      break
    case CapsuleType.ROUTE_ADVERTISEMENT:
      for (const route of decodeRouteAdvertisement(value)) console.log(`ROUTE_ADVERTISEMENT ${describeRoute(route)}`)
      break
    case CapsuleType.DATAGRAM:
      console.log(`DATAGRAM, ${value.length} bytes`)
      break
  }
}
// Throws when they end inside a capsule.
parser.end()
