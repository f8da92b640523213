import { readTokenFile } from '../config/token-file.ts'

/**
 * The bearer token that the client shows, from the configuration or from its token file; undefined when there is none.
 *
 * Throws ConfigError when the file cannot be read, holds something else, or can be read by others (not checked on Windows,
 * where file modes mean little).
 */
export function readToken(auth: {
  token?: string
  tokenFile?: string
  allowExposedToken?: boolean
}): string | undefined {
  if (auth.tokenFile === undefined) return auth.token
  return readTokenFile({ file: auth.tokenFile, section: 'auth', allowExposed: auth.allowExposedToken })
}
