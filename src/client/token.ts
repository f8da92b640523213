import { ConfigError } from '../config/config-error.ts'
import { describeExposure, GROUP_AND_OTHERS } from '../config/private-file.ts'
import { readRegularFile, UnsuitableFileError } from '../config/read-file.ts'

/** token68, the form of a bearer token in an Authorization header: RFC 6750 §2.1. */
export const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** More than a header field takes. */
const LONGEST_FILE_BYTES = 64 * 1024

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
  const file = auth.tokenFile
  if (file === undefined) return auth.token
  const refuse = (sentence: string, cause?: unknown): ConfigError =>
    new ConfigError(file, [`${file}: ${sentence}`], { cause })
  let text: string
  try {
    if (!auth.allowExposedToken) {
      const accept = 'auth.allow_exposed_token'
      const exposure = describeExposure(file, { forbidden: GROUP_AND_OTHERS, what: 'token file', accept })
      if (exposure !== undefined) throw refuse(exposure)
    }
    text = readRegularFile(file, LONGEST_FILE_BYTES).toString('utf8').trim()
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    if (cause instanceof UnsuitableFileError) throw refuse(`${cause.message}; a token file is expected`, cause)
    const { code, message } = cause as NodeJS.ErrnoException
    throw refuse(
      code === 'ENOENT' ? 'there is no such token file (auth.token_file)' : `the token file cannot be read: ${message}`,
      cause,
    )
  }
  if (!BEARER_TOKEN.test(text)) {
    throw refuse('this is not a bearer token; expected one line of letters, digits and -._~+/, then perhaps =')
  }
  return text
}
