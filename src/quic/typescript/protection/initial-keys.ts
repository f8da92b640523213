/**
 * The keys of Initial packets, RFC 9001 §5.2. Anyone who sees the client's first packet can have them: they keep those out that do
 * not see it, and show that both sides speak the same version.
 *
 *   salt of the version, Destination Connection ID of the client's first Initial
 *          ↓
 *   initial secret ──"client in"──> secret of what the client sends
 *                  ──"server in"──> secret of what the server sends
 */
import { hkdfExpandLabel, hkdfExtract } from '../../../tls/hkdf.ts'
import { VERSION_1, type Version } from '../version.ts'
import { TLS_AES_128_GCM_SHA256 } from './cipher-suites.ts'
import { OpeningKeys, SealingKeys } from './packet-keys.ts'

const SECRET_LENGTH = 32
const NO_CONTEXT = new Uint8Array(0)

/** `clientDcid`: the Destination Connection ID of the client's first Initial, or of the first after a Retry. */
export function initialKeys(
  role: 'client' | 'server',
  clientDcid: Uint8Array,
  version: Version = VERSION_1,
): { sealing: SealingKeys; opening: OpeningKeys } {
  const { client, server } = initialSecrets(clientDcid, version)
  return {
    sealing: new SealingKeys(TLS_AES_128_GCM_SHA256, role === 'client' ? client : server, version),
    opening: new OpeningKeys(TLS_AES_128_GCM_SHA256, role === 'client' ? server : client, version),
  }
}

export function initialSecrets(
  clientDcid: Uint8Array,
  version: Version = VERSION_1,
): { client: Uint8Array; server: Uint8Array } {
  const secret = hkdfExtract('sha256', version.initialSalt, clientDcid)
  return {
    client: hkdfExpandLabel('sha256', secret, 'client in', NO_CONTEXT, SECRET_LENGTH),
    server: hkdfExpandLabel('sha256', secret, 'server in', NO_CONTEXT, SECRET_LENGTH),
  }
}
