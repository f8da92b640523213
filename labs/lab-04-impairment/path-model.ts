/**
 * When a proxy believes in a new address of its client (RFC 9000 §8 and §9): the reference of `migration`, and the same with each known mistake.
 */

export type PathEvent =
  | { kind: 'received'; from: string; bytes: number; number: number; probing: boolean; response?: string }
  | { kind: 'sent'; to: string; bytes: number; challenge?: string }
  | { kind: 'gave-up'; challenge: string }

/** What the proxy believes after some events: where it sends to, and how many bytes it may still send there. */
export interface Path {
  address: string
  room: number
}

/** Known mistakes, and what is said about them. In the order in which they are to be recognised. */
export const QUIRKS = {
  stays:
    'The client has moved: nobody hears at the old address any more. The proxy follows the packet that says so, though it still has to validate the address.',
  probes:
    'A packet that only probes a path does not move anything: the client is trying this way, and goes on sending on the other one.',
  latest:
    'Packets overtake each other. One that was sent before the move may arrive after it: only a higher packet number than all before moves the connection.',
  everyNumber:
    'The number counts among the packets that are not probing. A probe with a higher number says nothing about where the client sends from.',
  unlimited:
    'Anybody can write your address on an envelope. Until the address has answered, the proxy sends at most three times what came from there: or it could be used to flood others.',
  once: 'Three times as much, less what was sent there already.',
  single: 'The limit is three times what came from there, not as much as came.',
  allAddresses: 'What counts is what came from this address, and what was sent to it; not what went over other paths.',
  payloadOnly: 'Every byte from there counts, those of probes as well.',
  negative: 'When it has sent too much already it may send nothing: 0, and no negative number of bytes.',
  anyResponse: 'A response counts when it says what a challenge has said. Who only guesses has proved nothing.',
  byPath:
    'A response validates the address that its challenge was sent to, whichever path it comes back on: who has read the challenge is there.',
  everyResponse:
    'A response counts when it says what a challenge has said, and for the address that the challenge was sent to: not for the one that it comes from.',
  silence: 'An address is validated by the answer to a challenge, and not by being heard.',
  forgets: 'An address that was validated on this connection needs no second proof.',
  keeps:
    'The challenge had no answer: what is sent there is lost, and perhaps meant to be. The proxy goes back to the last validated address.',
  anyGaveUp:
    'A challenge that was given up ends nothing at an address that is validated, or that the proxy does not send to.',
  first:
    'It goes back to the last validated address that it has sent to, and that need not be the first of the connection.',
  lastProven:
    'It goes back to the last validated address that it has sent to (§9.3.2). One that was only probed has answered, and was never in use.',
} as const
export type Quirk = keyof typeof QUIRKS

interface Peer {
  received: number
  payload: number
  sent: number
  validated: boolean
}

export function followPath(first: string, events: readonly PathEvent[], quirk?: Quirk): Path {
  const peers = new Map<string, Peer>()
  const peer = (name: string): Peer => {
    const known = peers.get(name) ?? { received: 0, payload: 0, sent: 0, validated: name === first }
    peers.set(name, known)
    return known
  }
  const challenged = new Map<string, string>()
  let address = first
  let lastValidated = first
  let highest = -1
  const received = (event: PathEvent & { kind: 'received' }): void => {
    const { from, number, probing, bytes, response } = event
    const known = peers.has(from)
    const sender = peer(from)
    sender.received += bytes
    if (!probing) sender.payload += bytes
    const proven = response === undefined ? undefined : challenged.get(response)
    if (proven !== undefined && quirk !== 'everyResponse') peer(quirk === 'byPath' ? from : proven).validated = true
    if (quirk === 'anyResponse' && proven === undefined && response !== undefined) sender.validated = true
    if (quirk === 'everyResponse' && response !== undefined) sender.validated = true
    if (quirk === 'lastProven' && proven !== undefined) lastValidated = proven
    if (quirk === 'silence' && known) sender.validated = true
    const follows = (!probing || quirk === 'probes') && (number > highest || quirk === 'latest')
    if (!probing || quirk === 'everyNumber' || quirk === 'probes') highest = Math.max(highest, number)
    if (!follows || (quirk === 'stays' && !sender.validated)) return
    if (quirk === 'forgets' && from !== address && proven === undefined) sender.validated = false
    address = from
  }
  const gaveUp = (challenge: string): void => {
    if (quirk === 'keeps') return
    const failed = challenged.get(challenge) === address && !peer(address).validated
    if (failed || quirk === 'anyGaveUp') address = quirk === 'first' ? first : lastValidated
  }

  for (const event of events) {
    if (event.kind === 'received') received(event)
    else if (event.kind === 'gave-up') gaveUp(event.challenge)
    else {
      peer(event.to).sent += event.bytes
      if (event.challenge !== undefined) challenged.set(event.challenge, event.to)
    }
    if (peer(address).validated && quirk !== 'lastProven') lastValidated = address
  }
  return { address, room: peer(address).validated ? Number.POSITIVE_INFINITY : roomOf(peers, peer(address), quirk) }
}

function roomOf(peers: ReadonlyMap<string, Peer>, at: Peer, quirk: Quirk | undefined): number {
  const all = [...peers.values()]
  const sum = (of: (peer: Peer) => number) => all.reduce((total, peer) => total + of(peer), 0)
  switch (quirk) {
    case 'unlimited':
      return Number.POSITIVE_INFINITY
    case 'once':
      return 3 * at.received
    case 'single':
      return Math.max(0, at.received - at.sent)
    case 'allAddresses':
      return Math.max(0, 3 * sum(peer => peer.received) - sum(peer => peer.sent))
    case 'payloadOnly':
      return Math.max(0, 3 * at.payload - at.sent)
    case 'negative':
      return 3 * at.received - at.sent
    default:
      return Math.max(0, 3 * at.received - at.sent)
  }
}
