import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeTestCertificates, type TestCertificateOptions } from '../../src/cert/make-certificates.ts'
import { TlsClient, type TlsClientOptions } from '../../src/tls/client.ts'
import { HandshakeType } from '../../src/tls/messages/handshake-message.ts'
import { TlsServer, TlsServerContext, type TlsServerContextOptions } from '../../src/tls/server.ts'
import type { EncryptionLevel, TlsHandshake, TlsSink } from '../../src/tls/tls.ts'

export interface Material {
  ca: Uint8Array
  server: { certificateChain: Uint8Array; key: Uint8Array }
  client: { certificateChain: Uint8Array; key: Uint8Array }
}

export async function newMaterial(options: TestCertificateOptions = {}): Promise<Material> {
  const folder = mkdtempSync(join(tmpdir(), 'masque-tls-'))
  try {
    const files = await makeTestCertificates(folder, options)
    const client = files.clients['client']
    return {
      ca: readFileSync(files.ca),
      server: { certificateChain: readFileSync(files.server), key: readFileSync(files.serverKey) },
      client: { certificateChain: readFileSync(client.certificate), key: readFileSync(client.key) },
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Everything that one end has told, in order, and what it wants to send. */
export class RecordingSink implements TlsSink {
  readonly outgoing: { level: EncryptionLevel; data: Uint8Array }[] = []
  readonly secrets = new Map<string, { suite: number; secret: Uint8Array }>()
  readonly tickets: Uint8Array[] = []
  readonly keyLog: string[] = []
  readonly story: string[] = []
  peerTransportParameters: Uint8Array | undefined

  onCrypto(level: EncryptionLevel, data: Uint8Array): void {
    this.outgoing.push({ level, data })
    this.story.push(`message ${data[0]} on ${level}`)
  }
  onSecret(level: 1 | 2, direction: 'read' | 'write', suite: number, secret: Uint8Array): void {
    this.secrets.set(`${direction} ${level}`, { suite, secret })
    this.story.push(`${direction} ${level}`)
  }
  onPeerTransportParameters(bytes: Uint8Array): void {
    this.peerTransportParameters = bytes
    this.story.push('parameters')
  }
  onComplete(): void {
    this.story.push('complete')
  }
  onTicket(ticket: Uint8Array): void {
    this.tickets.push(ticket)
  }
  onKeyLog(line: string): void {
    this.keyLog.push(line)
  }
}

export interface End<T extends TlsHandshake> {
  tls: T
  sink: RecordingSink
}

export interface Pair {
  client: End<TlsClient>
  server: End<TlsServer>
  context?: TlsServerContext
}

export const CLIENT_PARAMETERS = Uint8Array.of(1, 2, 3)
export const SERVER_PARAMETERS = Uint8Array.of(4, 5)

export function newContext(material: Material, options: Partial<TlsServerContextOptions> = {}): TlsServerContext {
  return new TlsServerContext({
    ...material.server,
    ca: material.ca,
    alpn: ['h3'],
    clientCertificate: 'none',
    ...options,
  })
}

export function newClient(material: Material, options: Partial<TlsClientOptions> = {}): End<TlsClient> {
  const sink = new RecordingSink()
  const tls = new TlsClient({
    sink,
    alpn: ['h3'],
    serverName: 'localhost',
    ca: material.ca,
    verify: 'required',
    transportParameters: CLIENT_PARAMETERS,
    ...options,
  })
  return { tls, sink }
}

export function newServer(context: TlsServerContext): End<TlsServer> {
  const sink = new RecordingSink()
  return { tls: new TlsServer({ sink, context, transportParameters: SERVER_PARAMETERS }), sink }
}

/** Hands over what is waiting on one side, each message through `change`, in pieces of `piece` bytes. */
export function deliver(
  from: End<TlsHandshake>,
  to: End<TlsHandshake>,
  change: (message: Uint8Array, level: EncryptionLevel) => Uint8Array = message => message,
  piece = Number.POSITIVE_INFINITY,
): void {
  for (const { level, data } of from.sink.outgoing.splice(0)) {
    const changed = change(data, level)
    for (let at = 0; at < changed.length; at += piece) to.tls.receive(level, changed.subarray(at, at + piece))
  }
}

/** For `deliver`: CertificateVerify is not what was signed. */
export function withOtherSignature(message: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(message)
  if (message[0] === HandshakeType.certificate_verify) changed[changed.length - 1] ^= 1
  return changed
}

/** A whole handshake, unless one end throws; that of the client's side is begun by this. */
export function run({ client, server }: Pair, piece?: number): void {
  client.tls.start()
  while (client.sink.outgoing.length + server.sink.outgoing.length > 0) {
    deliver(client, server, undefined, piece)
    deliver(server, client, undefined, piece)
  }
}

export function newPair(
  material: Material,
  client: Partial<TlsClientOptions> = {},
  server: Partial<TlsServerContextOptions> | TlsServerContext = {},
): Required<Pair> {
  const context = server instanceof TlsServerContext ? server : newContext(material, server)
  return { client: newClient(material, client), server: newServer(context), context }
}
