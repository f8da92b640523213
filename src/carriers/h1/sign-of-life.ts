/**
 * HTTP/1.1 has no PING, and after the upgrade there is nothing that a proxy has to answer. So a client asks in its request to hear something at least so
 * often, in ms, and a proxy that knows the field (of ours, in no RFC) says in its answer how often it will:
 *
 *     client                                                      proxy
 *       |  GET ... Upgrade: connect-ip, masque-lab-sign-of-life: 2500 |
 *       |------------------------------------------------------------>|
 *       |      101 ..., masque-lab-sign-of-life: 2500                 |
 *       |<------------------------------------------------------------|
 *       |      after 2.5 to 5 s without another byte: a capsule       |   transport.ts: SIGN_OF_LIFE
 *       |<------------------------------------------------------------|
 *
 * Then a silence of four times that is a lost path. Where the proxy has said nothing, the idle timeout has to do.
 */

import { type Header, headerValue } from '../../http/header.ts'

export const SIGN_OF_LIFE_HEADER = 'masque-lab-sign-of-life'

/** More often a proxy does not write because it was asked to, in ms. */
const LEAST_MS = 250

/** So many in the time after which a peer counts as lost. */
const SIGNS = 4

/** The field's value, in ms; what is none is ignored. */
export function signOfLifeMs(headers: readonly Header[]): number | undefined {
  const value = headerValue(headers, SIGN_OF_LIFE_HEADER)
  return value !== undefined && /^[1-9][0-9]{0,6}$/.test(value) ? Number(value) : undefined
}

/** What a client asks for, to whom a proxy that is silent for `lostAfterMs` is lost. */
export function wishFor(lostAfterMs: number): Header {
  return [SIGN_OF_LIFE_HEADER, String(Math.ceil(lostAfterMs / SIGNS))]
}

/** How often a proxy writes that was asked for it, and would do it every `keepAliveMs` by itself. */
export function grantedMs(wishMs: number, keepAliveMs: number): number {
  return Math.min(Math.max(wishMs, LEAST_MS), Math.ceil(keepAliveMs))
}

/** After what silence a proxy is lost that has promised a sign so often. */
export function lostAfter(promisedMs: number, lostAfterMs: number): number {
  return Math.max(lostAfterMs, SIGNS * promisedMs)
}
