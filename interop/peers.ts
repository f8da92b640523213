import { chooseEngine } from '../src/quic/choose-engine.ts'
import { buildGoPrograms, prepareGo } from './harness/go-programs.ts'
import { prepareJava } from './harness/java.ts'
import { preparePython } from './harness/python.ts'
import { Unavailable } from './harness/skip.ts'

/** A column of the matrix: one way of speaking with a peer. */
export interface Column {
  /** What the peer is in it. */
  role: 'client' | 'proxy' | 'server'
  /** The title of the suite (`describe`) whose tests fill it. */
  suite: string
}

export interface Peer {
  name: string
  version: string
  /** Where it comes from, as a link text and address. */
  home: [string, string]
  /** In what it is written, and from which registry it comes. */
  origin: string
  /** What it shows. */
  purpose: string
  columns: Column[]
  /** Whether it speaks QUIC with us, and so is tried with each engine of ours. */
  needsQuic: boolean
  /** Files in `test/`, in the order in which they run. */
  tests: string[]
  /**
   * Installs and compiles what the peer needs. Rejects with `Unavailable` when its language or registry is missing, which skips the
   * peer in one line; any other error counts as a failure.
   */
  prepare(): Promise<void>
}

let goPrograms: Promise<void> | undefined

/** Once for all peers whose programs are in that module. */
function prepareGoPrograms(): Promise<void> {
  goPrograms ??= prepareGo().then(buildGoPrograms)
  return goPrograms
}

async function prepareBothEngines(): Promise<void> {
  await chooseEngine('quiche').catch((error: Error) => {
    throw new Unavailable(error.message)
  })
}

export const PEERS: readonly Peer[] = [
  {
    name: 'connect-ip-go',
    version: '0.7.0',
    home: ['quic-go/connect-ip-go', 'https://github.com/quic-go/connect-ip-go'],
    origin: 'Go, Go module proxy',
    purpose: 'a CONNECT-IP library: both ends of the tunnel are foreign',
    columns: [
      { role: 'client', suite: 'the Go client against our server' },
      { role: 'proxy', suite: 'our client against the Go proxy' },
    ],
    needsQuic: true,
    tests: ['1-control.interop.ts', '2-our-client.interop.ts', '3-our-server.interop.ts', '3b-go-dns.interop.ts'],
    prepare: prepareGoPrograms,
  },
  {
    name: 'quic-go',
    version: '0.65.0',
    home: ['quic-go/quic-go', 'https://github.com/quic-go/quic-go'],
    origin: 'Go, Go module proxy',
    purpose: 'QUIC alone, over bad paths: the cases of the QUIC interop runner',
    columns: [
      { role: 'client', suite: 'quic-go, a client of our QUIC' },
      { role: 'server', suite: 'our QUIC, a client of quic-go' },
    ],
    needsQuic: true,
    tests: ['9-quic-go.interop.ts'],
    prepare: prepareGoPrograms,
  },
  {
    name: 'the other engine',
    version: 'of ours',
    home: ['architecture', 'architecture.md#the-engine-in-typescript'],
    origin: 'quiche: Rust, npm; the other: TypeScript, here',
    purpose: 'quiche and the engine in TypeScript with each other: the same cases as with quic-go',
    columns: [{ role: 'server', suite: 'our QUIC, a client of its other engine' }],
    needsQuic: true,
    tests: ['9b-other-engine.interop.ts'],
    prepare: prepareBothEngines,
  },
  {
    name: 'aioquic',
    version: '1.7.2',
    home: ['aiortc/aioquic', 'https://github.com/aiortc/aioquic'],
    origin: 'Python, PyPI',
    purpose: 'QUIC and HTTP/3; CONNECT-IP is written by hand on it, so that it can also be written wrongly',
    columns: [
      { role: 'client', suite: 'aioquic, a client of our proxy' },
      { role: 'proxy', suite: 'aioquic, a proxy of our client' },
    ],
    needsQuic: true,
    tests: ['4-aioquic-client.interop.ts', '5-aioquic-proxy.interop.ts'],
    prepare: () => preparePython('aioquic'),
  },
  {
    name: 'curl-cffi',
    version: '0.17.0',
    home: ['lexiforest/curl_cffi', 'https://github.com/lexiforest/curl_cffi'],
    origin: 'C, PyPI',
    purpose: 'curl with ngtcp2, nghttp3 and BoringSSL, which can also greet as browsers do: plain requests over HTTP/3',
    columns: [{ role: 'client', suite: 'curl, a client of our proxy' }],
    needsQuic: true,
    tests: ['6-curl-client.interop.ts'],
    prepare: () => preparePython('curl-cffi'),
  },
  {
    name: 'flupke',
    version: '0.9.4',
    home: ['ptrd/flupke', 'https://github.com/ptrd/flupke'],
    origin: 'Java, Maven Central',
    purpose: 'HTTP/3 with capsules on the QUIC of kwik, without datagrams: packets travel in DATAGRAM capsules',
    columns: [{ role: 'client', suite: 'flupke, a client of our proxy' }],
    needsQuic: true,
    tests: ['7-flupke-client.interop.ts'],
    prepare: () => prepareJava('flupke'),
  },
  {
    name: 'h11',
    version: '0.16.0',
    home: ['python-hyper/h11', 'https://github.com/python-hyper/h11'],
    origin: 'Python, PyPI',
    purpose: 'the heads of HTTP/1.1, from both ends; capsules are written by hand',
    columns: [
      { role: 'client', suite: 'h11, a client of our proxy' },
      { role: 'proxy', suite: 'h11, a proxy of our client' },
    ],
    needsQuic: false,
    tests: ['8-h11.interop.ts'],
    prepare: () => preparePython('h11'),
  },
]
