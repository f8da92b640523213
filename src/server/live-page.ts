/**
 * The live view: a page that shows what the proxy does, as it does it. The files are in `live/` as the browser gets them: there is no
 * build step. What they show comes by the API's events; only what never changes is told here.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { RequestHandler } from 'express'
import type { TrafficWatch } from '../live/traffic-watch.ts'
import { formatAddress, type SocketAddress } from '../net/udp.ts'
import { VERSION } from '../version.ts'
import type { AttachedLink } from './attached-link.ts'
import type { ServerConfig } from './config.ts'

/** What the page is told once. */
export interface LiveAbout {
  readonly version: string
  /** Where the proxy listens, as text. */
  readonly listen: string
  /** What is behind the proxy. */
  readonly hosts: readonly { readonly name: string; readonly addresses: readonly string[] }[]
  /** The page with which a browser joins the tunnel is there, too. */
  readonly hasBrowserPage: boolean
  /** The profiles that an emulated link in front of the proxy can have; null: there is no such link. */
  readonly linkProfiles: AttachedLink['profiles'] | null
}

export interface LiveView {
  readonly about: LiveAbout
  /** The last capsules, for who has not seen them. */
  readonly traffic: Pick<TrafficWatch, 'capsules'>
}

export function liveView(
  { hosts, tun, webTransport }: ServerConfig,
  { address, tunName, link }: { address: SocketAddress; tunName: string | undefined; link: AttachedLink | undefined },
  traffic: LiveView['traffic'],
): LiveView {
  const inProcess = hosts.map(({ name, ipv4, ipv6 }) => ({
    name,
    addresses: [ipv4, ipv6].filter(each => each !== undefined).map(String),
  }))
  const system = tun === undefined ? [] : [{ name: 'the system', addresses: [`over ${tunName ?? 'a TUN device'}`] }]
  const about = {
    version: VERSION,
    listen: formatAddress(address),
    hosts: [...system, ...inProcess],
    hasBrowserPage: webTransport !== undefined,
    linkProfiles: link?.profiles ?? null,
  }
  return { about, traffic }
}

const TYPES: Record<string, string> = {
  svg: 'image/svg+xml',
  html: 'text/html',
  css: 'text/css',
  mjs: 'text/javascript',
  js: 'text/javascript',
}

const FILES = [
  'index.html',
  'icon.svg',
  'style.css',
  'page.mjs',
  'dom.mjs',
  'format.mjs',
  'event-stream.mjs',
  'history.mjs',
  'slots.mjs',
  'topology.mjs',
  'charts.mjs',
  'clients.mjs',
  'layers.mjs',
  'inspector.mjs',
  'timeline.mjs',
  'link.mjs',
]

const SHARED = ['packets.mjs', 'bytes.mjs']

/** The chart library, as it comes. */
const LIBRARY = ['uPlot.esm.js', 'uPlot.min.css']

/** Nothing from elsewhere, and nothing written into the page itself. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What is served, by path. */
export function liveFiles({ about, traffic }: LiveView): Record<string, RequestHandler> {
  const library = dirname(createRequire(import.meta.url).resolve('uplot/dist/uPlot.esm.js'))
  return {
    '/live/about.json': (_request, response) => {
      response.json(about)
    },
    '/live/capsules.json': (_request, response) => {
      response.json(traffic.capsules)
    },
    // What it shares with the page that joins.
    ...Object.fromEntries(SHARED.map(name => served(`browser/${name}`, new URL(`browser/${name}`, import.meta.url)))),
    ...Object.fromEntries(FILES.map(name => served(`live/${name}`, new URL(`live/${name}`, import.meta.url)))),
    ...Object.fromEntries(LIBRARY.map(name => served(`live/${name}`, join(library, name)))),
  }
}

function served(path: string, file: URL | string): [path: string, handler: RequestHandler] {
  const content = readFileSync(file)
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)]
  const handler: RequestHandler = (_request, response) => {
    response.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
    response.type(`${type}; charset=utf-8`).send(content)
  }
  return [`/${path.replace(/(?<=\/)index\.html$/, '')}`, handler]
}
