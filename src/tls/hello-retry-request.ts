/**
 * HelloRetryRequest, RFC 8446 §4.1.4: what a server may ask for with it, and what of ClientHello may be another one then (§4.1.2).
 */
import { TlsAlert } from './alert.ts'
import { checkAnswered, type Extensions, ExtensionType } from './extensions/extensions.ts'
import { decodeSelectedGroup } from './extensions/key-share.ts'
import type { ClientHello } from './messages/client-hello.ts'

/**
 * Of which group the server wants a key share; undefined: it wants a cookie back, and nothing else. `offered`: the extensions of the
 * first ClientHello, `groups`: those in it, `sent`: the one whose key share it had. Throws TlsAlert.
 */
export function groupAskedFor(
  retry: Extensions,
  offered: Extensions,
  groups: readonly number[],
  sent: number,
): number | undefined {
  // A cookie is the only extension that comes without having been asked for (§4.2).
  const answerable = new Map([...offered, [ExtensionType.cookie, new Uint8Array(0)]])
  checkAnswered(retry, [ExtensionType.key_share, ExtensionType.cookie], answerable)
  const selected = retry.get(ExtensionType.key_share)
  if (selected === undefined) {
    if (retry.has(ExtensionType.cookie)) return undefined
    throw new TlsAlert('illegal_parameter', 'a HelloRetryRequest that changes nothing')
  }
  const group = decodeSelectedGroup(selected)
  if (!groups.includes(group) || group === sent) {
    throw new TlsAlert('illegal_parameter', `group ${group} was not offered, or its key was sent already`)
  }
  return group
}

/** What the second ClientHello may change, beside its key share. */
const MAY_CHANGE: readonly number[] = [
  ExtensionType.key_share,
  ExtensionType.early_data,
  ExtensionType.cookie,
  ExtensionType.pre_shared_key,
  ExtensionType.padding,
]

/** Throws TlsAlert: the second one is about something else. */
export function checkSameHello(first: ClientHello, second: ClientHello): void {
  const kept = ({ random, cipherSuites, extensions }: ClientHello): string =>
    JSON.stringify([
      [...random],
      cipherSuites,
      [...extensions].filter(([type]) => !MAY_CHANGE.includes(type)).map(([type, data]) => [type, [...data]]),
    ])
  if (kept(first) !== kept(second)) throw new TlsAlert('illegal_parameter', 'the second ClientHello is another one')
}
