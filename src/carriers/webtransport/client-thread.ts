/** A client's thread: one connection of the package, with one session. See messages.ts. */

import dns, { type LookupAddress } from 'node:dns'
import type { ClientHttp2Session } from 'node:http2'
import { isIP } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import { quicheLoaded, WebTransport } from '@fails-components/webtransport'
import { watchSilence as countSilence } from '../silence.ts'
import type { ClientThreadData, Disconnected, FromClientThread, ToThread } from './messages.ts'
import {
  type ClientParts,
  FLOW_CONTROL,
  guardSession,
  hasHttp3,
  noteEnd,
  prepare,
  type Session,
  watchSilence,
} from './package.ts'
import { SessionPump } from './session-pump.ts'

const { data } = workerData as { data: ClientThreadData }

/** How long the browser's rules let a certificate live that is known by its hash: 14 days, in ms. */
const PINNED_FOR_MS = 14 * 24 * 60 * 60 * 1000

/** Why the connection ends, as soon as that is known. */
let reason: Disconnected | undefined
let status: number | undefined
let isOver = false

function post(message: FromClientThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer)
}

/** The program has found out where the proxy is, and may have been told. The package asks the system again; in this thread, that is the answer. */
function answerLookups(host: string): void {
  const family = isIP(host)
  const lookup = (_name: string, options: unknown, callback: unknown): void => {
    const { all } = options as { all?: boolean }
    const answer = callback as (error: null, found: string | LookupAddress[], family?: number) => void
    if (all) answer(null, [{ address: host, family }])
    else answer(null, host, family)
  }
  dns.lookup = lookup as typeof dns.lookup
}

/** Why the certificate is refused by its hash, if it is. */
function certificateProblem(socket: TLSSocket): string | undefined {
  if (data.certificateSha256 === undefined) return undefined
  const { fingerprint256 = '', valid_from: from, valid_to: to } = socket.getPeerCertificate()
  const found = fingerprint256.replaceAll(':', '').toLowerCase()
  if (found !== data.certificateSha256) return `its SHA-256 is ${found}, not that of tunnel.certificate_sha256`
  if (Date.parse(to) - Date.parse(from) <= PINNED_FOR_MS) return undefined
  return 'a certificate that is known by its hash may be valid for at most 14 days (npm run cert -- --days 13)'
}

await quicheLoaded
answerLookups(data.remote.host)

const transport = new WebTransport(data.url, {
  ...FLOW_CONTROL,
  forceReliable: !hasHttp3,
  ...(data.certificateSha256 !== undefined && {
    serverCertificateHashes: [{ algorithm: 'sha-256', value: Buffer.from(data.certificateSha256, 'hex') }],
  }),
} as ConstructorParameters<typeof WebTransport>[1])
const { sessionint } = transport as unknown as ClientParts
const http2 = sessionint.parentobj.transportInt?.clientInt

function disconnected(): void {
  if (isOver) return
  isOver = true
  post({ type: 'disconnected', connection: 0, reason: reason ?? { kind: 'closed' } })
}

if (http2 !== undefined) {
  const socket = http2.socket as TLSSocket
  noteEnd(http2, end => {
    reason ??= end
  })
  // Before the package's own listener, which ends the connection: then there is no certificate any more.
  socket.prependOnceListener('secureConnect', () => {
    const why = certificateProblem(socket)
    if (why !== undefined) reason = { kind: 'certificate', why }
  })
  http2.once('connect', () => prepare(http2))
  watchSilence(http2, data.idleTimeoutMs, () => lost(http2))
  http2.once('close', disconnected)
}

/** Nothing comes any more. */
function lost(connection: ClientHttp2Session): void {
  // Whoever takes leave and is then silent is told apart from who has left.
  const isLeaving = reason?.kind === 'goaway' && reason.code === 0
  if (!connection.destroyed && (reason === undefined || isLeaving)) reason = { kind: 'timeout' }
  connection.destroy()
  // A session that has had a GOAWAY waits for the end of its socket, which may never come.
  disconnected()
}

/** A lost path says nothing: the package asks each second, and no answer comes. Behind GOAWAY it asks no more, and the idle timeout has to do. */
function watchPath(connection: ClientHttp2Session): void {
  if (data.lostAfterMs === 0) return
  countSilence({
    limitMs: data.lostAfterMs,
    bytesRead: () => (connection.destroyed || reason !== undefined ? undefined : connection.socket.bytesRead),
    onLost: () => lost(connection),
  })
}

/** The status of a refusal is nowhere else to be had. */
const onClose = sessionint.onClose.bind(sessionint)
sessionint.onClose = args => {
  if (status === undefined && args.error === 'Session stream errored') {
    status = Number(args.errorcode)
    post({ type: 'answered', status, datagrams: false })
  }
  onClose(args)
}

const pump = new SessionPump(0, transport as unknown as Session, (message, transfer) => {
  // Together with the connection, which knows why.
  if (message.type !== 'gone' || !http2?.destroyed) post(message, transfer)
})

parentPort?.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'write':
      return pump.write(message.bytes)
    case 'datagram':
      return pump.sendDatagram(message.bytes)
    case 'taken':
      return pump.taken(message.bytes)
    case 'datagram-taken':
      return pump.datagramTaken()
    case 'end':
      return pump.end()
    case 'close':
      return pump.close(message.code, message.reason)
    case 'stop':
      pump.close(0, '')
      // Once that is on its way.
      setTimeout(() => process.exit(0), 50)
  }
})

transport.ready.then(
  () => {
    status = 200
    guardSession(sessionint.objint ?? {}, end => pump.noteEnd(end))
    post({ type: 'answered', status, datagrams: transport.reliability === 'supports-unreliable' })
    pump.run(false)
    if (http2 !== undefined) watchPath(http2)
  },
  // The proxy's answer is told of already; else nothing has come about.
  () => status === undefined && setImmediate(disconnected),
)
