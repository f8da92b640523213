import { expect } from 'chai'
import { LinkPinger } from '../../src/carriers/link-pinger.ts'
import type { Drop } from '../../src/connect-ip/session.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { icmpv6DestinationUnreachable, icmpv6EchoReply, icmpv6EchoReplyTo } from '../../src/ip/icmpv6.ts'

const source = IpAddress.parse('fd00:89::2')
const target = IpAddress.parse('fd00:89::1')
const stranger = IpAddress.parse('fd00:89::9')
const ALL_NODES = IpAddress.parse('ff02::1')
const IDENTIFIER = 7
/** Long enough for whatever is not waited for, and short enough to wait. */
const TIMEOUT_MS = 20

/** Sends one ping; `answer` says what comes back at once. Returns whether it was answered, and what was taken. */
async function ping(
  answer: (request: Uint8Array) => Uint8Array | undefined,
  { to = target, drop }: { to?: IpAddress; drop?: Drop } = {},
) {
  const taken: boolean[] = []
  const pinger: LinkPinger = new LinkPinger(request => {
    const packet = answer(request)
    if (packet !== undefined) taken.push(pinger.receive(packet))
    return drop
  }, IDENTIFIER)
  const answered = await pinger.ping({ source, target: to }, 1232, TIMEOUT_MS)
  return { answered, taken }
}

describe('the pings of a tunnel’s own', () => {
  it('CIP-33 are answered by an echo reply with the same bytes, which nobody else gets', async () => {
    expect(await ping(request => icmpv6EchoReplyTo(request))).to.deep.equal({ answered: true, taken: [true] })
  })

  it('make 1280 bytes of 1232', async () => {
    let length = 0
    await ping(request => {
      length = request.length
      return icmpv6EchoReplyTo(request)
    })
    expect(length).to.equal(1280)
  })

  it('are answered by the one that was asked; by anyone, when all were', async () => {
    const fromStranger = (request: Uint8Array) => icmpv6EchoReplyTo(request, stranger)
    expect(await ping(fromStranger)).to.deep.equal({ answered: false, taken: [false] })
    expect(await ping(fromStranger, { to: ALL_NODES })).to.deep.equal({ answered: true, taken: [true] })
  })

  it('leave to the host what answers a ping of the host', async () => {
    const fields = { source: target, destination: source, seq: 1 }
    for (const [id, seq] of [
      [IDENTIFIER + 1, 1],
      [IDENTIFIER, 2],
    ]) {
      const reply = icmpv6EchoReply({ ...fields, id, seq }, new Uint8Array(1232))
      expect(await ping(() => reply)).to.deep.equal({ answered: false, taken: [false] })
    }
    expect(await ping(request => request)).to.deep.equal({ answered: false, taken: [false] })
    expect(new LinkPinger(() => undefined).receive(icmpv6EchoReply({ ...fields, id: 1 }, new Uint8Array(0)))).to.equal(
      false,
    )
  })

  it('have failed when the answer brings back other bytes, or is an ICMP error', async () => {
    const other = (request: Uint8Array) => {
      const fields = { source: target, destination: source, id: IDENTIFIER, seq: 1 }
      return icmpv6EchoReply(fields, new Uint8Array(request.length - 48))
    }
    expect(await ping(other)).to.deep.equal({ answered: false, taken: [true] })
    const unreachable = (request: Uint8Array) => icmpv6DestinationUnreachable(request, 0, stranger)
    expect(await ping(unreachable)).to.deep.equal({ answered: false, taken: [true] })
  })

  it('have failed at once when the tunnel does not take them, and when it ends', async () => {
    const began = performance.now()
    const pinger = new LinkPinger(() => ({ reason: 'too-big', icmp: new Uint8Array(0) }))
    expect(await pinger.ping({ source, target }, 1232, 10_000)).to.equal(false)
    const waiting = new LinkPinger(() => undefined)
    const answered = waiting.ping({ source, target }, 1232, 10_000)
    waiting.close()
    expect(await answered).to.equal(false)
    expect(performance.now() - began).to.be.lessThan(5000)
  })
})
