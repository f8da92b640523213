/** Bytes from hexadecimal digits, and addresses from bytes. */
import { IpAddress } from '../../src/ip/address.ts'
import { format } from '../kit/check/format.ts'

/** The bytes that a text of hexadecimal digits and blanks stands for. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s+/g, ''), 'hex'))
}

/** `10.89.1.2`, `fd00:89:1::2`; anything that is no address as it is written in TypeScript. */
export function addressText(value: unknown): string {
  if (!(value instanceof Uint8Array) || (value.length !== 4 && value.length !== 16)) return format(value)
  return IpAddress.from(value.length === 4 ? 4 : 6, value).toString()
}
