import type { Header } from '../http/header.ts'

/**
 * When an answer was made, RFC 9110 §6.6.1: "An origin server with a clock MUST generate a Date header field in all 2xx (Successful),
 * 3xx (Redirection), and 4xx (Client Error) responses", and may in others. In the form of §5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`.
 */
export function dateField(now = new Date()): Header {
  return ['date', now.toUTCString()]
}
