/**
 * The process of the proxy that runs with a student's parts. It is a proxy as `npm run server` starts one; packets towards the clients
 * go the student's way:
 *
 *   library ─> packet processor ─> tunnel ─> queue ─> Pump ─> PacketSender ─> QUIC ─> client
 *                                                                              ^
 *                                                              PathMtuSearch ──┘ how long a datagram may be
 *
 * The student's code itself is not in this process: it is asked, some packets at a time, in the sandbox that runs it in all other tasks.
 */
import { readFileSync } from 'node:fs'
import type { H3ServerConnection } from '../../../src/carriers/h3/server-connection.ts'
import type { TestCertificates } from '../../../src/cert/make-certificates.ts'
import { FlowSource } from '../../../src/hosts/userspace/flow.ts'
import type { UserspaceHost } from '../../../src/hosts/userspace/userspace-host.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { serveParent } from '../../../src/process/serve-parent.ts'
import type { MasqueServer } from '../../../src/server/server.ts'
import { startTestProxy } from '../../../src/testbed/proxy-and-client.ts'
import { feedbackOf } from '../../kit/check/feedback.ts'
import { openStudentCode, type StudentCode, StudentError } from '../../kit/student-code/student-code.ts'
import { StudentCarrier } from './carrier.ts'
import { BUDGET, type Failure, PartError, type Parts, SEARCH } from './parts.ts'
import { type PumpFigures, PumpRunner } from './pump.ts'
import { StudentSearch } from './search.ts'

/** The library of the network: what is measured is measured against it. */
export const LIBRARY = '10.90.1.7'

/** Folders of exercises, in which a part is looked for under the name of its file. */
export type PartFolders = Record<keyof Parts, string>

export interface Figures extends PumpFigures {
  /** By the address of the client. */
  tunnels: Record<string, { queue: number; mtu: number; settled: boolean; tooBig: number; namedMtu: number }>
  /** Why a part cannot go on, once it cannot. */
  failure: Failure | undefined
}

/** So long all calls of one measurement may take together. */
const LIMITS = { totalMs: 120_000 }

/** Runs in the sandbox of the pump. */
const OURS = new Map([['turns.ts', readFileSync(new URL('./naive/turns.ts', import.meta.url), 'utf8')]])

let server: MasqueServer | undefined
let runner: PumpRunner | undefined
let failure: Failure | undefined
/** What of the platform itself has failed: no verdict on the student. */
let fault: Error | undefined
let tellEnd = (): void => {}
const partEnded = new Promise<void>(resolve => {
  tellEnd = resolve
})
const opened = new Map<string, StudentCode>()
const carriers = new Map<StudentCarrier, true>()

function codeIn(folder: string): StudentCode {
  const code = opened.get(folder) ?? openStudentCode({ exercises: folder, limits: LIMITS, ours: OURS })
  opened.set(folder, code)
  return code
}

function failed(error: unknown): void {
  if (error instanceof PartError) failure ??= error.failure
  else if (error instanceof StudentError) failure ??= feedbackOf(error)
  else fault ??= error instanceof Error ? error : new Error(String(error))
  tellEnd()
}

const orders = {
  /** Where the proxy listens; undefined: there is no pump, and `why` says it. */
  async start({
    certificates,
    folders,
  }: {
    certificates: Pick<TestCertificates, 'server' | 'serverKey'>
    folders: PartFolders
  }) {
    const parts: Parts = { pump: codeIn(folders.pump), sender: codeIn(folders.sender), search: codeIn(folders.search) }
    let pump: PumpRunner
    try {
      pump = new PumpRunner(await parts.pump.create('turns.ts', 'Turns', BUDGET))
    } catch (error) {
      failed(error)
      return undefined
    }
    runner = pump
    pump.run().catch(failed)
    server = await startTestProxy(
      certificates,
      {
        hosts: [{ name: 'library', ipv4: IpAddress.parse(LIBRARY) }],
        tunnel: { linkProbe: 'off' },
        quic: { maxUdpPayload: 1452 },
      },
      {
        newMtuSearch: ({ max }) =>
          new StudentSearch({
            max,
            create: () => parts.search.create('path-mtu.ts', 'PathMtuSearch', { ...SEARCH, max }),
            failed,
          }),
        wrapCarrier: (inner, connection, streamId) => {
          const h3 = connection as H3ServerConnection
          const carrier = new StudentCarrier({ inner, connection: h3, streamId, parts, pump })
          carriers.set(carrier, true)
          return carrier
        },
      },
    )
    return server.address
  },
  /** Resolves when a part cannot go on; never, if all goes well. */
  partEnded: () => partEnded,
  why(): Failure | undefined {
    if (fault) throw fault
    return failure
  },
  /** What has happened since the last call. */
  figures(): Figures {
    if (fault) throw fault
    const tunnels: Figures['tunnels'] = {}
    for (const carrier of carriers.keys()) {
      const { mtu, mtuSettled: settled, queue, figures } = carrier
      for (const address of addressesOf(carrier)) tunnels[address] = { queue, mtu, settled, ...figures }
    }
    return { ...runner!.takeFigures(), tunnels, failure }
  },
  /** The sender of this client's tunnel is told once more how long a datagram may be. */
  tellAgain(address: string): void {
    for (const carrier of carriers.keys()) if (addressesOf(carrier).includes(address)) carrier.tellAgain()
  },
  /** A flow to this client, for so long. Resolves with how many packets were sent. */
  async flow({ destination, packetsPerSecond, packetLength, durationMs }: Flow): Promise<number> {
    const host = running().host('library') as UserspaceHost
    const [source, to] = [IpAddress.parse(LIBRARY), IpAddress.parse(destination)]
    const packets = new FlowSource({ source, destination: to, flowId: 1, packetLength })
    const startedAt = performance.now()
    for (let now = startedAt; now < startedAt + durationMs && !failure && !fault; now = performance.now()) {
      const due = ((now - startedAt) / 1000) * packetsPerSecond
      // A copy: the source has one buffer, and the proxy lowers the hop count in place.
      while (packets.sent < due) host.send(packets.next(now * 1000).slice())
      await new Promise(resolve => setTimeout(resolve, 4))
    }
    return packets.sent
  },
}
export type ProxyOrders = typeof orders

interface Flow {
  destination: string
  packetsPerSecond: number
  packetLength: number
  durationMs: number
}

function addressesOf({ connectionId, streamId }: StudentCarrier): readonly string[] {
  return (
    running()
      .clients()
      .find(({ id }) => id === `${connectionId}/${streamId}`)?.addresses ?? []
  )
}

function running(): MasqueServer {
  if (server === undefined) throw new Error('the proxy has not been started')
  return server
}

serveParent(orders, async () => {
  runner?.stop()
  await Promise.all([...opened.values()].map(code => code.close()))
  await server?.close()
})
