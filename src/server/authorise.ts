/** Who may open a tunnel: the decision, from what TLS and the request say about the client. */

import { parseBearer, verifyToken } from './auth.ts'
import type { CertificateIdentity } from './certificate-identity.ts'
import type { ServerConfig } from './config.ts'

export type Authorisation =
  | { readonly allowed: true; readonly identity: string | undefined; readonly maxTunnels: number }
  /** 401: credentials are missing or wrong, and others might do. 403: who the client is will not do. */
  | { readonly allowed: false; readonly status: 401 | 403; readonly reason: string }

export interface Credentials {
  /** The Authorization field. */
  readonly authorization: string | undefined
  /** Who the client certificate, which TLS has verified, stands for. Undefined: there is none. */
  readonly certificate: CertificateIdentity | undefined
}

export function authorise(auth: ServerConfig['auth'], credentials: Credentials): Authorisation {
  const { authorization, certificate } = credentials
  if (auth.mode === 'none') return { allowed: true, identity: undefined, maxTunnels: Number.POSITIVE_INFINITY }

  if (auth.mode !== 'token' && certificate !== undefined && 'name' in certificate) {
    const identity = certificate.name
    const known = auth.identities.find(entry => entry.identity === identity)
    return {
      allowed: true,
      identity,
      maxTunnels: known?.maxTunnels ?? auth.maxTunnelsPerIdentity,
    }
  }
  if (auth.mode === 'mtls') {
    const isNameless = certificate !== undefined && 'problem' in certificate
    return {
      allowed: false,
      status: 403,
      reason: isNameless ? certificate.problem : 'a client certificate is required',
    }
  }

  const token = parseBearer(authorization)
  if (token === undefined) return { allowed: false, status: 401, reason: 'a bearer token is required' }
  const identity = verifyToken(token, auth.tokens)
  if (identity === undefined) return { allowed: false, status: 401, reason: 'the bearer token is not known' }
  const known = auth.tokens.find(entry => entry.identity === identity)
  return { allowed: true, identity, maxTunnels: known?.maxTunnels ?? auth.maxTunnelsPerIdentity }
}
