/** Packets that the system did not take, by reason: a few words, so that each can be a time series. */

/** How often for which reason. */
export type Unsent = Record<string, number>

/**
 *   full          too many wait already
 *   too-large     the interface takes no packets of this size; such are the largest ones that the search for the path's MTU tries
 *   unreachable   there is no route to there, or the interface is down
 *   forbidden     a firewall
 *   closed        still waiting when the socket was closed
 */
const REASONS: Readonly<Record<string, string>> = {
  EAGAIN: 'full',
  ENOBUFS: 'full',
  ENOMEM: 'full',
  EMSGSIZE: 'too-large',
  ENETUNREACH: 'unreachable',
  EHOSTUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EPERM: 'forbidden',
  EACCES: 'forbidden',
}

/** `code` as Node gives it: EAGAIN and the like. What has no reason of its own is `refused`. */
export function countUnsent(unsent: Unsent, code: string | undefined, packets: number): void {
  countFor(unsent, REASONS[code ?? ''] ?? 'refused', packets)
}

/** What no bug of ours is needed for: it has a reason of its own. */
export function isUsual(code: string | undefined): boolean {
  return code !== undefined && code in REASONS
}

export function countUnsentAtClose(unsent: Unsent, packets: number): void {
  if (packets > 0) countFor(unsent, 'closed', packets)
}

function countFor(unsent: Unsent, reason: string, packets: number): void {
  unsent[reason] = (unsent[reason] ?? 0) + packets
}
