/** A proxy in a process of its own, which tells its memory when it is asked. */

import { defaultServerConfig } from '../../src/server/config.ts'
import { MasqueServer } from '../../src/server/server.ts'

const files = JSON.parse(process.env.MEMORY_CERTIFICATES as string) as { server: string; serverKey: string; ca: string }
const server = await MasqueServer.start(
  defaultServerConfig({
    tls: { certificate: files.server, key: files.serverKey, clientCa: files.ca },
    api: { enabled: false },
    log: { level: 'silent' },
  }),
)
process.on('message', () => {
  // The name of a connection is its connection id.
  const connectionId = server.connectionLog().at(-1)?.id
  process.send?.({ rss: process.memoryUsage.rss(), connectionId })
})
process.on('disconnect', () => process.exit())
process.send?.({ address: server.address })
