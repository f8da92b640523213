import { ConfigError } from '../config/config-error.ts'
import { readTokenFile } from '../config/token-file.ts'
import { hashToken, LONGEST_TOKEN } from './auth.ts'
import type { ServerConfig } from './config.ts'

/** What somebody types by hand can be guessed. `openssl rand -hex 24` makes 48. */
export const SHORTEST_API_TOKEN = 16

/**
 * SHA-256 of the API's token, from the configuration or of what is in its token file; undefined where there is none, or no API. The token itself is
 * not kept. Throws ConfigError when the file will not do.
 */
export function apiTokenSha256({ api }: Pick<ServerConfig, 'api'>): string | undefined {
  const file = api.tokenFile
  if (!api.enabled || file === undefined) return api.tokenSha256
  const token = readTokenFile({ file, section: 'api', allowExposed: api.allowExposedToken })
  if (token.length >= SHORTEST_API_TOKEN && token.length <= LONGEST_TOKEN) return hashToken(token)
  const expected = `expected ${SHORTEST_API_TOKEN} to ${LONGEST_TOKEN}, long and random: openssl rand -hex 24`
  throw new ConfigError(file, [`${file}: a token of ${token.length} characters (not shown); ${expected}`])
}
