/** Against OpenSSL, over TCP: records.ts has the records that QUIC has not. Needs the `openssl` command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, connect as dial, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { TlsClient, type TlsClientOptions } from '../../src/tls/client.ts'
import { ExtensionType } from '../../src/tls/extensions/extensions.ts'
import { decodeClientHello, encodeClientHello } from '../../src/tls/messages/client-hello.ts'
import { decodeEncryptedExtensions, encodeEncryptedExtensions } from '../../src/tls/messages/encrypted-extensions.ts'
import { HandshakeType } from '../../src/tls/messages/handshake-message.ts'
import { TlsServer, type TlsServerContext } from '../../src/tls/server.ts'
import type { EncryptionLevel } from '../../src/tls/tls.ts'
import { CLIENT_AUTH, identityOf, issueRoot, issueServer, type KeyKind, pemOf, SERVER_AUTH } from './certificates.ts'
import { type Material, newContext } from './in-memory.ts'
import { RecordLayer } from './records.ts'

const { quic_transport_parameters } = ExtensionType
const PARAMETERS = Uint8Array.of(1, 2)

/** OpenSSL's server has no transport parameters in its EncryptedExtensions: they are put there after the transcript was made. */
class ClientOverTcp extends TlsClient {
  protected override onMessage(type: number, body: Uint8Array, message: Uint8Array): void {
    if (type !== HandshakeType.encrypted_extensions) return super.onMessage(type, body, message)
    const extensions = new Map([[quic_transport_parameters, PARAMETERS], ...decodeEncryptedExtensions(body)])
    super.onMessage(type, encodeEncryptedExtensions(extensions).subarray(4), message)
  }
}

/** The same for its client's ClientHello; and it is not sent what it has not asked for. */
class ServerOverTcp extends TlsServer {
  protected override onMessage(type: number, body: Uint8Array, message: Uint8Array): void {
    if (type !== HandshakeType.client_hello) return super.onMessage(type, body, message)
    const hello = decodeClientHello(body)
    const extensions = new Map([[quic_transport_parameters, PARAMETERS], ...hello.extensions])
    super.onMessage(type, encodeClientHello({ ...hello, extensions }).subarray(4), message)
  }

  protected override sendMessage(level: EncryptionLevel, message: Uint8Array): void {
    if (message[0] !== HandshakeType.encrypted_extensions) return super.sendMessage(level, message)
    const extensions = new Map(decodeEncryptedExtensions(message.subarray(4)))
    extensions.delete(quic_transport_parameters)
    super.sendMessage(level, encodeEncryptedExtensions(extensions))
  }
}

describe('TLS 1.3 with OpenSSL', () => {
  let folder: string
  const children = new Set<ChildProcess>()
  const sockets = new Set<Socket>()

  before(function () {
    const version = spawnSync('openssl', ['version'], { encoding: 'utf8' })
    if (version.status !== 0 || !/^OpenSSL (1\.1\.1|[3-9]\.)/.test(version.stdout)) this.skip()
    folder = mkdtempSync(join(tmpdir(), 'masque-openssl-'))
  })
  afterEach(() => {
    for (const child of children) child.kill()
    for (const socket of sockets) socket.destroy()
    children.clear()
    sockets.clear()
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true })
  })

  function materialOf(key: KeyKind = 'P-256'): Material {
    const root = issueRoot({ key })
    const make = (purpose: string): Material['server'] =>
      identityOf(issueServer(root, { key, names: ['localhost'], extendedKeyUsage: [purpose] }))
    const material = { ca: pemOf(root.der), server: make(SERVER_AUTH), client: make(CLIENT_AUTH) }
    writeFileSync(join(folder, 'ca.pem'), material.ca)
    for (const who of ['server', 'client'] as const) {
      writeFileSync(join(folder, `${who}.pem`), material[who].certificateChain)
      writeFileSync(join(folder, `${who}-key.pem`), material[who].key)
    }
    return material
  }

  function openssl(...args: string[]): ChildProcess {
    const child = spawn('openssl', args, { cwd: folder, stdio: ['pipe', 'pipe', 'pipe'] })
    children.add(child)
    return child
  }

  /** What a program has written, once it matches. */
  function said(child: ChildProcess, what: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      let text = ''
      const look = (data: Buffer): void => {
        text += data
        const match = what.exec(text)
        if (match !== null) resolve(match)
      }
      child.stdout!.on('data', look)
      child.stderr!.on('data', look)
      child.once('close', () => reject(new Error(`openssl has ended: ${text}`)))
    })
  }

  async function opensslServer(...args: string[]): Promise<number> {
    const identity = ['-cert', 'server.pem', '-key', 'server-key.pem', '-alpn', 'h3', '-tls1_3', '-rev']
    const child = openssl('s_server', '-accept', '127.0.0.1:0', ...identity, ...args)
    const [, port] = await said(child, /ACCEPT \S*?:(\d+)/)
    return Number(port)
  }

  /** Shakes hands, and sends a word, which comes back from its end to its beginning. */
  async function exchange(
    port: number,
    options: Partial<TlsClientOptions>,
  ): Promise<{ tls: TlsClient; records: RecordLayer }> {
    const socket = dial(port, '127.0.0.1')
    sockets.add(socket)
    await once(socket, 'connect')
    const records = new RecordLayer(socket)
    const common = { sink: records, alpn: ['h3'], serverName: 'localhost', verify: 'required' } as const
    const tls = new ClientOverTcp({ ...common, transportParameters: PARAMETERS, ...options })
    records.tls = tls
    const answer = new Promise<string>((resolve, reject) => {
      records.onData = resolve
      records.onError = reject
      socket.once('close', () => reject(new Error('closed by the peer')))
    })
    records.onComplete = () => queueMicrotask(() => records.send('masque\n'))
    tls.start()
    expect(await answer).to.equal('euqsam\n')
    return { tls, records }
  }

  for (const [suite, name] of [
    [0x1301, 'TLS_AES_128_GCM_SHA256'],
    [0x1302, 'TLS_AES_256_GCM_SHA384'],
    [0x1303, 'TLS_CHACHA20_POLY1305_SHA256'],
  ] as const) {
    it(`works as its client: ${name}`, async () => {
      const material = materialOf()
      const port = await opensslServer('-ciphersuites', name)
      const { tls, records } = await exchange(port, { ca: material.ca })
      expect(records.secrets.get('read 2')?.suite).to.equal(suite)
      expect(tls.alpn).to.equal('h3')
      expect(tls.peerCertificate).to.not.equal(undefined)
    })

    it(`works as its server: ${name}`, async () => {
      const material = materialOf()
      const { client, tls } = await serve(newContext(material), '-ciphersuites', name)
      expect(await echoed(client)).to.equal('masque')
      expect([tls().complete, tls().alpn]).to.deep.equal([true, 'h3'])
    })
  }

  for (const key of ['P-384', 'Ed25519', 'RSA-2048'] as const) {
    it(`works with ${key} certificates of both ends, as client and as server`, async () => {
      const material = materialOf(key)
      const port = await opensslServer('-Verify', '3', '-verify_return_error', '-CAfile', 'ca.pem')
      await exchange(port, { ca: material.ca, ...material.client })

      const context = newContext(material, { clientCertificate: 'required' })
      const { client, tls } = await serve(context, '-cert', 'client.pem', '-key', 'client-key.pem')
      expect(await echoed(client)).to.equal('masque')
      const leaf = Buffer.from(tls().peerCertificate!).toString('base64')
      expect(Buffer.from(material.client.certificateChain).toString().replaceAll('\n', '')).to.include(leaf)
    })
  }

  it('answers its HelloRetryRequest, and sends it one', async () => {
    const material = materialOf()
    const port = await opensslServer('-groups', 'P-256')
    const { records } = await exchange(port, { ca: material.ca })
    expect(records.keyLog).to.have.length(5)

    const { client, tls } = await serve(newContext(material, { groups: [0x17] }), '-groups', 'X25519:P-256')
    expect(await echoed(client)).to.equal('masque')
    expect(tls().complete).to.equal(true)
  })

  it('lets it resume a session', async () => {
    const context = newContext(materialOf())
    const first = await serve(context, '-sess_out', 'session.pem')
    expect(await echoed(first.client)).to.equal('masque')
    const ended = once(first.client, 'close')
    for (const socket of sockets) socket.end()
    await ended
    const second = await serve(context, '-sess_in', 'session.pem')
    expect(await echoed(second.client)).to.equal('masque')
    expect(second.tls().resumed).to.equal(true)
  })

  it('resumes a session of its server', async () => {
    const material = materialOf()
    const port = await opensslServer()
    const first = await exchange(port, { ca: material.ca })
    const ticket = first.records.tickets.at(-1)!
    // It serves one after the other.
    for (const socket of sockets) socket.destroy()
    const second = await exchange(port, { ca: material.ca, ticket })
    expect([first.tls.resumed, second.tls.resumed]).to.deep.equal([false, true])
  })

  it('refuses its certificate when it is for another name', async () => {
    const material = materialOf()
    const port = await opensslServer()
    const error = await exchange(port, { ca: material.ca, serverName: 'other.example' }).then(
      () => undefined,
      cause => cause as Error,
    )
    expect(error?.name).to.equal('TlsAlert')
  })

  /** A server of ours on TCP, and an OpenSSL that connects; what it says is sent back. */
  async function serve(
    context: TlsServerContext,
    ...args: string[]
  ): Promise<{ client: ChildProcess; tls: () => TlsServer }> {
    const listener = createServer()
    await once(listener.listen(0, '127.0.0.1'), 'listening')
    let tls: TlsServer | undefined
    listener.once('connection', socket => {
      sockets.add(socket)
      const records = new RecordLayer(socket)
      tls = new ServerOverTcp({ sink: records, context, transportParameters: PARAMETERS })
      records.tls = tls
      records.onError = error => socket.destroy(error)
      records.onData = text => records.send(`${text.trim()} is back\n`)
      listener.close()
    })
    const { port } = listener.address() as AddressInfo
    const trust = ['-CAfile', 'ca.pem', '-verify_return_error', '-verify_hostname', 'localhost']
    const what = ['-connect', `127.0.0.1:${port}`, '-alpn', 'h3', '-tls1_3', '-no_middlebox', '-ign_eof']
    return { client: openssl('s_client', ...what, ...trust, ...args), tls: () => tls! }
  }

  async function echoed(client: ChildProcess): Promise<string> {
    client.stdin!.write('masque\n')
    return (await said(client, /(\w+) is back/))[1]
  }
})
