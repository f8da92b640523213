/**
 * The page with which a browser joins the tunnel, and what it has to know of the proxy. The files are in `browser/` as the browser
 * gets them: there is no build step.
 *
 * A browser takes a certificate that no authority it knows has signed when the page names its hash, and when it is an ECDSA one that
 * is valid for at most two weeks (W3C WebTransport, "serverCertificateHashes").
 */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { RequestHandler } from 'express'

export interface BrowserAccess {
  /** Where the proxy listens; undefined: on all addresses, so also on the one that the page came from. */
  readonly host: string | undefined
  readonly port: number
  readonly path: string
  /** SHA-256 of the certificate, in base64. */
  readonly certificateHash: string
  /** Why a browser will not take it by its hash. */
  readonly certificateProblem: string | undefined
  /** Tunnels are for those with a bearer token. */
  readonly needsToken: boolean
}

const DAY_MS = 86_400_000
const MAX_PINNED_DAYS = 14

const TYPES: Record<string, string> = { html: 'text/html', css: 'text/css', mjs: 'text/javascript' }

const FILES = ['index.html', 'style.css', 'page.mjs', 'tunnel.mjs', 'capsules.mjs', 'packets.mjs', 'bytes.mjs']

/** Nothing from elsewhere; connections only to proxies. */
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What is served, by path. */
export function browserFiles(access: BrowserAccess): Record<string, RequestHandler> {
  const routes: Record<string, RequestHandler> = {
    '/browser/connection.json': (_request, response) => {
      response.json(access)
    },
  }
  for (const name of FILES) {
    const content = readFileSync(new URL(`browser/${name}`, import.meta.url))
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)]
    routes[`/browser/${name === 'index.html' ? '' : name}`] = (_request, response) => {
      response.set('Content-Security-Policy', CONTENT_SECURITY_POLICY)
      response.type(`${type}; charset=utf-8`).send(content)
    }
  }
  return routes
}

/** SHA-256 of the first certificate of the chain, in base64. */
export function certificateHash(chain: Uint8Array): string {
  return createHash('sha256').update(new X509Certificate(chain).raw).digest('base64')
}

/** Why browsers do not take this certificate by its hash, and what to do; undefined: they do. `now` in ms since 1970. */
export function pinningProblem(chain: Uint8Array, now: number): string | undefined {
  const { publicKey, validFrom, validTo } = new X509Certificate(chain)
  const days = (Date.parse(validTo) - Date.parse(validFrom)) / DAY_MS
  const advice = 'make another with `npm run cert -- --days 13`, and start the proxy again'
  if (publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return `its key is not ECDSA P-256; ${advice}`
  if (days > MAX_PINNED_DAYS) {
    return `it is valid for ${Math.round(days)} days, and at most ${MAX_PINNED_DAYS} are allowed; ${advice}`
  }
  if (Date.parse(validTo) < now) return `it has expired on ${validTo}; ${advice}`
  return undefined
}

/** The origins of pages that come from this URL of ours, by each name of loopback. */
export function loopbackOrigins(url: string): string[] {
  const { port } = new URL(url)
  return ['127.0.0.1', 'localhost', '[::1]'].map(host => `http://${host}:${port}`)
}
