/**
 * `npm run functional`: the shortest proof that a tunnel works, each line of it truly checked.
 *
 * Starts a proxy of its own on loopback unless `-c` names a client configuration for one that is running.
 */

import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { makeTestCertificates } from '../cert/make-certificates.ts'
import type { MasqueClient, TunnelInfo } from '../client/client.ts'
import { loadClientConfig } from '../client/config.ts'
import { ClientError } from '../client/errors.ts'
import { IpAddress } from '../ip/address.ts'
import { decodeIcmp, IcmpType, icmpEchoRequest } from '../ip/icmp.ts'
import type { MasqueServer } from '../server/server.ts'
import { explain, runCommand } from './run-command.ts'

const DATA_LENGTH = 512
const READ_TIMEOUT_MS = 2_000
/** Steps of the checklist. */
const TOTAL = 8

class ChecklistFailed extends Error {
  override name = 'ChecklistFailed'
}

const program = new Command('npm run functional --')
  .description('Sends a packet through a tunnel and reads the answer; checks each step.')
  .option('-c, --config <file>', 'client configuration of a running proxy; without it a proxy is started on loopback')
  .option('--target <address>', 'IPv4 address that answers ping through the tunnel', '10.90.0.1')
  .parse()
const options = program.opts<{ config?: string; target: string }>()

await runCommand(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'masque-functional-'))
  let server: MasqueServer | undefined
  try {
    let client: MasqueClient
    if (options.config === undefined) ({ server, client } = await startOwnProxy(directory))
    else {
      const config = loadClientConfig(options.config)
      const { MasqueClient } = await import('../client/client.ts')
      client = new MasqueClient({ ...config, reconnect: { ...config.reconnect, enabled: false } })
    }
    await runChecklist(client)
  } finally {
    await server?.close()
    await rm(directory, { recursive: true, force: true })
  }
})

async function startOwnProxy(directory: string): Promise<{ server: MasqueServer; client: MasqueClient }> {
  const certificates = await makeTestCertificates(directory)
  const log = { level: 'error' } as const
  const { newTestClient, startTestProxy } = await import('../testbed/proxy-and-client.ts')
  const server = await startTestProxy(certificates, { log })
  return { server, client: newTestClient(certificates, server.address, { log }) }
}

/** The checks are one story: after the first that fails, the rest would only repeat it. */
async function runChecklist(client: MasqueClient): Promise<void> {
  let passed = 0
  const check = async <T>(title: string, step: () => Promise<T> | T, detail?: (value: T) => string): Promise<T> => {
    try {
      const value = await step()
      passed++
      console.log(`  ok    ${title}${detail === undefined ? '' : ` (${detail(value)})`}`)
      return value
    } catch (error) {
      console.log(`  FAIL  ${title}: ${explain(error)}`)
      throw new ChecklistFailed(`functional test failed after ${passed} of ${TOTAL} steps`)
    }
  }
  const expect = (condition: boolean, otherwise: string): void => {
    if (!condition) throw new ChecklistFailed(otherwise)
  }

  console.log('functional test: one packet through a CONNECT-IP tunnel and back\n')
  try {
    const info = await check(
      'server connection created',
      () => client.connect(),
      info => `${info.remote}, assigned ${info.assigned.join(' and ')}`,
    )
    const request = echoRequest(info)
    await check(
      'test packet sent',
      () => client.sendPacket(request.packet),
      () => `${request.packet.length} bytes`,
    )
    const reply = await check(
      'packet read',
      () => readReply(client),
      packet => `${packet.length} bytes`,
    )
    await check('size matches', () =>
      expect(reply.length === request.packet.length, `${reply.length} bytes; expected ${request.packet.length}`),
    )
    await check('content matches', () => {
      const message = decodeIcmp(reply)
      const data = reply.subarray(reply.length - DATA_LENGTH)
      expect(message.type === IcmpType.ECHO_REPLY, `ICMP type ${message.type}; expected an echo reply`)
      expect(Buffer.compare(data, request.data) === 0, 'the data of the reply differ from those of the request')
    })
    await check('connection closed', async () => {
      await client.close()
      expect(!client.connected, 'the client still calls itself connected')
    })
    await check('write after close returns an error', () =>
      failsWithClientError(async () => client.sendPacket(request.packet)),
    )
    await check('read after close returns an error', () => failsWithClientError(() => client.readPacket()))
    console.log(`\nset-up: QUIC handshake ${info.handshakeMs.toFixed(2)} ms, session ${info.sessionMs.toFixed(2)} ms`)
    console.log(`all ${passed} steps passed`)
  } finally {
    await client.close()
  }
}

function echoRequest(info: TunnelInfo): { packet: Uint8Array; data: Uint8Array } {
  const source = info.assigned.find(prefix => prefix.version === 4)?.address
  if (source === undefined) throw new ChecklistFailed('the proxy assigned no IPv4 address')
  const data = randomBytes(DATA_LENGTH)
  const destination = IpAddress.parse(options.target)
  return { packet: icmpEchoRequest({ source, destination, id: 0x4d51, seq: 1 }, data), data }
}

/** The first echo reply with our identifier: the proxy may also be testing the link. */
async function readReply(client: MasqueClient): Promise<Uint8Array> {
  const deadline = Date.now() + READ_TIMEOUT_MS
  for (;;) {
    const packet = await withTimeout(client.readPacket(), deadline - Date.now())
    if (packet[0] >> 4 !== 4) continue
    const message = decodeIcmp(packet)
    if (message.type === IcmpType.ECHO_REPLY && message.id === 0x4d51) return packet
  }
}

async function withTimeout<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ChecklistFailed(`nothing came back within ${READ_TIMEOUT_MS} ms`)), ms)
  })
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer))
}

async function failsWithClientError(step: () => Promise<unknown>): Promise<void> {
  try {
    await step()
  } catch (error) {
    if (error instanceof ClientError) return
    throw error
  }
  throw new ChecklistFailed('it succeeded')
}
