import type { AbortReason } from '../../http/errors.ts'
import { H3ErrorCode } from '../../http3/error-codes.ts'

/** The HTTP/3 error codes of the reasons for which we abort a stream. */
export const ABORT_CODES: Readonly<Record<AbortReason, number>> = {
  malformed: H3ErrorCode.H3_MESSAGE_ERROR,
  'excessive-load': H3ErrorCode.H3_EXCESSIVE_LOAD,
  cancelled: H3ErrorCode.H3_REQUEST_CANCELLED,
  internal: H3ErrorCode.H3_INTERNAL_ERROR,
}
