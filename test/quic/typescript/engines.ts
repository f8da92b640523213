import type { EngineOptions, QuicEngine } from '../../../src/quic/engine.ts'
import { DEFAULT_QUIC_SETTINGS } from '../../../src/quic/quic.ts'
import { TypescriptEngine } from '../../../src/quic/typescript/engine.ts'
import { clientTls, serverTls } from '../../support/certificates.ts'
import { seeded, seededBytes } from './virtual-network.ts'

/** A client's and a server's engine, with all their randomness from the seed. */
export async function typescriptEngines(
  more: { client?: Partial<EngineOptions>; server?: Partial<EngineOptions> } = {},
): Promise<(seed: number) => { client: QuicEngine; server: QuicEngine }> {
  const settings = DEFAULT_QUIC_SETTINGS
  const [ofClient, ofServer] = await Promise.all([clientTls(), serverTls()])
  return seed => ({
    client: new TypescriptEngine(
      { role: 'client', settings, tls: ofClient, peerCertificate: 'required', ...more.client },
      seededBytes(seeded(seed * 2 + 1)),
    ),
    server: new TypescriptEngine(
      { role: 'server', settings, tls: ofServer, peerCertificate: 'none', ...more.server },
      seededBytes(seeded(seed * 2 + 2)),
    ),
  })
}
