import { ConfigError } from './config-error.ts'
import { describeExposure, GROUP_AND_OTHERS } from './private-file.ts'
import { readRegularFile, UnsuitableFileError } from './read-file.ts'

/** token68, the form of a bearer token in an Authorization header: RFC 6750 §2.1. */
export const BEARER_TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/

/** More than a header field takes. */
const LONGEST_FILE_BYTES = 64 * 1024

export interface TokenFile {
  readonly file: string
  /** The table of the configuration that names it: "auth". */
  readonly section: string
  /** A file that others may read is accepted. */
  readonly allowExposed?: boolean | undefined
}

/**
 * The bearer token that is the only line of this file.
 *
 * Throws ConfigError, which does not repeat the token, when the file cannot be read, holds something else, or can be read by others (not checked on
 * Windows, where file modes mean little).
 */
export function readTokenFile({ file, section, allowExposed = false }: TokenFile): string {
  const refuse = (sentence: string, cause?: unknown): ConfigError =>
    new ConfigError(file, [`${file}: ${sentence}`], { cause })
  let text: string
  try {
    if (!allowExposed) {
      const accept = `${section}.allow_exposed_token`
      const exposure = describeExposure(file, { forbidden: GROUP_AND_OTHERS, what: 'token file', accept })
      if (exposure !== undefined) throw refuse(exposure)
    }
    text = readRegularFile(file, LONGEST_FILE_BYTES).toString('utf8').trim()
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    if (cause instanceof UnsuitableFileError) throw refuse(`${cause.message}; a token file is expected`, cause)
    const { code, message } = cause as NodeJS.ErrnoException
    throw refuse(
      code === 'ENOENT'
        ? `there is no such token file (${section}.token_file)`
        : `the token file cannot be read: ${message}`,
      cause,
    )
  }
  if (!BEARER_TOKEN.test(text)) {
    throw refuse('this is not a bearer token; expected one line of letters, digits and -._~+/, then perhaps =')
  }
  return text
}
