/**
 * Heads of messages between HTTP/1.1 (RFC 9112) and the form of http/header.ts, in which all versions look the same. A request for a
 * tunnel, RFC 9484 §4.2, and the answer "yes", §4.3:
 *
 *   GET /.well-known/masque/ip/%2A/%2A/ HTTP/1.1   HTTP/1.1 101 Switching Protocols
 *   Host: example.org                              Connection: Upgrade
 *   Connection: Upgrade                            Upgrade: connect-ip
 *   Upgrade: connect-ip                            Capsule-Protocol: ?1
 *   Capsule-Protocol: ?1
 *
 * become an Extended CONNECT and its 200. Lines are cut, and their characters checked, by node:http (that is, llhttp).
 */

import { STATUS_CODES } from 'node:http'
import { CONNECT_IP } from '../../connect-ip/request.ts'
import { MalformedMessage } from '../../http/errors.ts'
import { type Header, headerValue, printable } from '../../http/header.ts'
import { dateField } from '../date.ts'

export const HTTP1 = 'HTTP/1.1 (ALPN "http/1.1")'

/** Bytes of a head that we take; so many as of one on HTTP/2. */
export const H1_HEAD_SIZE = 16 * 1024

/** Fields of a head that we take. */
export const H1_FIELDS = 128

/**
 * Fields that HTTP/1.1 has for the connection, or for what other versions say by pseudo-headers: they end here. `te` allows trailers, and
 * nobody here sends any.
 */
const CONNECTION_FIELDS = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade', 'host']

/** The head of a request, as node:http gives it. */
export interface RequestLines {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly httpVersion: string
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[]
}

/** Throws MalformedMessage. */
export function readRequest({ method = '', url = '', httpVersion, rawHeaders }: RequestLines): Header[] {
  const lines = fieldLines(rawHeaders)
  const hosts = lines.filter(([name]) => name === 'host').map(([, value]) => value)
  // RFC 9112 §3.2, RFC 9484 §4.2.
  if (hosts.length !== 1) throw new MalformedMessage(`the request has ${hosts.length} Host fields; expected one`)
  const fields = lines.filter(([name]) => !CONNECTION_FIELDS.includes(name))
  // RFC 9110 §7.8: one that comes in a request of HTTP/1.0 MUST be ignored.
  const asksForTunnel = httpVersion === '1.1' && listOf(lines, 'upgrade').includes(CONNECT_IP)
  if (asksForTunnel) {
    checkTunnelRequest(method, lines)
    return [[':method', 'CONNECT'], [':protocol', CONNECT_IP], ...targetOf(url, hosts[0]), ...fields]
  }
  // RFC 9112 §3.2.3: of a CONNECT, the target is a host and a port.
  const target: Header[] = method === 'CONNECT' ? [[':authority', url]] : targetOf(url, hosts[0])
  return [[':method', method], ...target, ...fields]
}

/** RFC 9110 §10.1.1: the client waits to be told to go on. Expectations that nobody knows are passed over. */
export function expectsContinue({ rawHeaders }: RequestLines): boolean {
  return listOf(fieldLines(rawHeaders), 'expect').includes('100-continue')
}

/** RFC 9484 §4.2; that there is no content-length, RFC 9297 §3.2, is looked at where all versions are. */
function checkTunnelRequest(method: string, lines: readonly Header[]): void {
  if (method !== 'GET') {
    throw new MalformedMessage(`the method is ${printable(method)}; a request for Upgrade: ${CONNECT_IP} is a GET`)
  }
  if (!listOf(lines, 'connection').includes('upgrade')) {
    throw new MalformedMessage(`the request has Upgrade: ${CONNECT_IP} without Connection: Upgrade`)
  }
  if (headerValue(lines, 'transfer-encoding') !== undefined) {
    throw new MalformedMessage('transfer-encoding is not allowed: the message carries a data stream, not content')
  }
}

/** RFC 9112 §3.2: origin-form, asterisk-form or absolute-form; the latter makes us ignore the Host field (§3.2.2). */
function targetOf(url: string, host: string): Header[] {
  if (url.startsWith('/') || url === '*') {
    return [
      [':scheme', 'https'],
      [':authority', host],
      [':path', url],
    ]
  }
  const absolute = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/([^/?#]*)(.*)$/.exec(url)
  if (absolute === null) throw new MalformedMessage(`the request's target is "${printable(url)}"; expected a path`)
  const [, scheme, authority, rest] = absolute
  return [
    [':scheme', scheme],
    [':authority', authority],
    [':path', rest.startsWith('/') ? rest : `/${rest}`],
  ]
}

/** What a client writes for such a request: names and values, in the form that node:http takes. */
export function requestFields(headers: readonly Header[]): Record<string, string | string[]> {
  const fields: Record<string, string | string[]> = {
    host: headerValue(headers, ':authority') ?? '',
    connection: 'Upgrade',
    upgrade: headerValue(headers, ':protocol') ?? '',
  }
  for (const [name, value] of headers) {
    if (name.startsWith(':')) continue
    const before = fields[name]
    fields[name] = before === undefined ? value : [before, value].flat()
  }
  return fields
}

/** The final response to a request for a tunnel: its 101 as 200. Throws MalformedMessage. */
export function readResponse(status: number, rawHeaders: readonly string[]): Header[] {
  const lines = fieldLines(rawHeaders)
  if (status === 101) {
    // RFC 9484 §4.3: else "the client MUST treat this proxying attempt as failed and close the connection".
    const protocols = listOf(lines, 'upgrade')
    if (!listOf(lines, 'connection').includes('upgrade') || protocols.length !== 1 || protocols[0] !== CONNECT_IP) {
      throw new MalformedMessage(`status 101 without Connection: Upgrade and Upgrade: ${CONNECT_IP}`)
    }
    if (headerValue(lines, 'transfer-encoding') !== undefined) {
      throw new MalformedMessage('transfer-encoding is not allowed with status 101')
    }
  } else if (status < 300) {
    throw new MalformedMessage(`status ${status}; "yes" is 101 on HTTP/1.1: it did not switch to ${CONNECT_IP}`)
  }
  const fields = lines.filter(([name]) => !CONNECTION_FIELDS.includes(name))
  return [[':status', status === 101 ? '200' : String(status)], ...fields]
}

/** The head of a final response that has all of its `body` behind it; nothing follows on this connection. */
export function finalHead(headers: readonly Header[], body: Uint8Array): string {
  const length: Header[] =
    headerValue(headers, 'content-length') === undefined ? [['content-length', String(body.length)]] : []
  return headOf(Number(headerValue(headers, ':status')), [...headers, dateField(), ...length, ['connection', 'close']])
}

/** The head behind which capsules follow. `continues`: the client expects 100, which comes first then (RFC 9110 §7.8). */
export function switchingHead(headers: readonly Header[], continues: boolean): string {
  const before = continues ? headOf(100, []) : ''
  return before + headOf(101, [['connection', 'Upgrade'], ['upgrade', CONNECT_IP], ...headers])
}

function headOf(status: number, headers: readonly Header[]): string {
  const fields = headers.filter(([name]) => !name.startsWith(':')).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields.join('')}\r\n`
}

function fieldLines(rawHeaders: readonly string[]): Header[] {
  return Array.from({ length: rawHeaders.length / 2 }, (_, i): Header => {
    return [rawHeaders[2 * i].toLowerCase(), rawHeaders[2 * i + 1]]
  })
}

/** The members of a field whose value is a list of tokens, in lower case: RFC 9110 §5.6.1, §7.6.1, §7.8. */
function listOf(lines: readonly Header[], name: string): string[] {
  return lines
    .filter(line => line[0] === name)
    .flatMap(([, value]) => value.split(','))
    .map(member => member.trim().toLowerCase())
    .filter(member => member !== '')
}
