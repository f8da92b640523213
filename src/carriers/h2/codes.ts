import type { AbortReason } from '../../http/errors.ts'

/** Error codes, RFC 9113 §7, in the order of their numbers. */
const NAMES = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
]

export const H2ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  CANCEL: 8,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
} as const

/** The name of an error code as the RFC writes it; for others its number. */
export function errorName(code: number): string {
  return NAMES[code] ?? `0x${code.toString(16)}`
}

/** The error codes of the reasons for which we abort a stream. */
export const ABORT_CODES: Readonly<Record<AbortReason, number>> = {
  malformed: H2ErrorCode.PROTOCOL_ERROR,
  'excessive-load': H2ErrorCode.ENHANCE_YOUR_CALM,
  cancelled: H2ErrorCode.CANCEL,
  internal: H2ErrorCode.INTERNAL_ERROR,
}
