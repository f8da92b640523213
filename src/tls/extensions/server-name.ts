/**
 * The name of the server that the client wants (SNI), RFC 6066 §3:
 *
 *     struct {
 *         NameType name_type;                 // host_name (0) is the only one
 *         opaque HostName<1..2^16-1>;
 *     } ServerName;
 *     ServerName server_name_list<1..2^16-1>;
 *
 * Names only: an IP address must not be in it.
 */
import { isIP } from 'node:net'
import { DecodeError } from '../../bytes/errors.ts'
import { Reader } from '../../bytes/reader.ts'
import { Writer } from '../../bytes/writer.ts'
import { onlyVector, takeVector, vector } from '../vectors.ts'

const HOST_NAME = 0

/** undefined: `serverName` is not a name that can be sent. */
export function encodeServerName(serverName: string): Uint8Array | undefined {
  const name = serverName.replace(/\.$/, '')
  if (name === '' || isIP(name) !== 0 || !/^[\x21-\x7e]+$/.test(name)) return undefined
  const entry = new Writer().u8(HOST_NAME).bytes(vector(2, new TextEncoder().encode(name)))
  return vector(2, entry.finish())
}

export function decodeServerName(bytes: Uint8Array): string {
  const list = new Reader(onlyVector(bytes, 2, 1))
  let name: string | undefined
  while (list.remaining > 0) {
    const type = list.u8()
    const content = takeVector(list, 2, 1)
    if (type !== HOST_NAME) continue
    if (name !== undefined) throw new DecodeError('two names of one type')
    name = new TextDecoder().decode(content)
  }
  return name ?? ''
}
