/**
 * A whole network for one measurement, on one machine and without rights:
 *
 *     clients (this process) ──UDP── link emulator (a process) ──UDP── proxy ── library (a process)
 *
 * Three processes, so that none of them measures another one's pauses. All three read the same monotonic clock
 * (see hosts/clock.ts), so one-way delays between the clients' hosts and the library mean something.
 *
 *     const bed = await Testbed.start({ profile: 'lte', seed: '1' })
 *     try {
 *       await bed.client.ping(bed.library)
 *     } finally {
 *       await bed.close()
 *     }
 */

import { rmSync } from 'node:fs'
import { makeTestCertificates, type TestCertificates } from '../cert/make-certificates.ts'
import type { MasqueClient, TunnelInfo } from '../client/client.ts'
import type { ClientConfigOverrides } from '../client/config.ts'
import type { Encapsulation } from '../config/sections.ts'
import type { FlowSummary } from '../hosts/userspace/flow.ts'
import { IpAddress } from '../ip/address.ts'
import { EmulatorHandle } from '../link/emulator/emulator-process.ts'
import { loadProfile } from '../link/profile/load-profile.ts'
import type { Profile } from '../link/profile/profile.ts'
import { Child } from '../process/child.ts'
import { makeOwnFolder, removeLeftFolders } from '../process/own-folder.ts'
import type { QuicSettings } from '../quic/quic.ts'
import type { ServerStatus } from '../server/status.ts'
import { type ControlName, type DownwardFlow, LIBRARY, TestbedError, type TestbedServerOverrides } from './orders.ts'
import { connectWith, isControllerFile, loadControl } from './own-controller.ts'
import { newTestClient } from './proxy-and-client.ts'
import type { ServerOrders } from './server-child.ts'

export interface TestbedOptions {
  /** The link: a profile, or the name or file of one. */
  profile: Profile | string
  /** Of the link's random numbers. The same seed and the same arrivals give the same decisions. */
  seed: string
  /** How the clients put IP packets into QUIC; default `datagram`. */
  encapsulation?: Encapsulation
  /**
   * Of both sides; default `cubic`. Of several, the first client has the first, and so on in turn; so has the proxy for its connections, in the order in which they are opened: whoever gives several
   * opens the tunnels one after the other. A file that ends with `.ts`: a congestion control of one's own (own-controller.ts), on the engine in TypeScript.
   */
  congestionControl?: ControlName | readonly ControlName[]
  /** Largest UDP payload that either side sends, in bytes; default 1400. */
  maxUdpPayload?: number
  /** Of both sides, in ms; default 30 000. */
  idleTimeoutMs?: number
  /** Further changes to the configuration of every client. */
  client?: ClientConfigOverrides
  /** Further changes to the configuration of the server. */
  server?: TestbedServerOverrides
  /** How many clients there are at the start, each with a tunnel of its own; default 1. */
  clients?: number
  /** Open the tunnels before `start` resolves? Default true. */
  connect?: boolean
  /** Does the link's timeline begin with the first datagram? Default true; false: with `bed.link.beginTimeline()`. */
  startTimeline?: boolean
  /** Ends everything, at any time; `start` then rejects with the signal's reason. */
  signal?: AbortSignal
  /** What is being done, in a few words. */
  onProgress?: (text: string) => void
}

export class Testbed {
  readonly #options: TestbedOptions
  readonly #directory: string
  readonly #clients: MasqueClient[] = []
  readonly #death: Promise<never>
  #die!: (error: unknown) => void
  #failure: unknown
  #certifying: Promise<TestCertificates> | undefined
  #certificates!: TestCertificates
  /** Of the clients, in turn. */
  #controls: readonly QuicSettings['congestionControl'][] = []
  #server: Child<ServerOrders> | undefined
  #link: EmulatorHandle | undefined
  #profile: Profile
  #serverAddress!: { host: string; port: number }
  #apiUrl: string | undefined
  #closed: Promise<void> | undefined
  /**
   * IPv4 address of the library, the host behind the proxy. It answers pings, UDP echo (port 7), greedy flows (5002) and
   * requests (5003), counts paced flows (5001; see `sink`), and discards (9).
   */
  readonly library = IpAddress.parse(LIBRARY.ipv4)
  /** Its IPv6 address. */
  readonly library6 = IpAddress.parse(LIBRARY.ipv6)

  /**
   * Starts everything. Rejects, with nothing left behind, with TestbedError when a process fails, ConfigError when the
   * profile or the configuration will not do, ClientError when a tunnel cannot be opened, or the signal's reason.
   */
  static async start(options: TestbedOptions): Promise<Testbed> {
    options.signal?.throwIfAborted()
    const profile = typeof options.profile === 'string' ? loadProfile(options.profile) : options.profile
    const bed = new Testbed(options, profile)
    try {
      await bed.whileAlive(() => bed.#start())
    } catch (error) {
      await bed.close()
      throw error
    }
    return bed
  }

  private constructor(options: TestbedOptions, profile: Profile) {
    this.#options = options
    this.#profile = profile
    removeLeftFolders(FOLDER)
    this.#directory = makeOwnFolder(FOLDER)
    this.#death = new Promise((_, reject) => {
      this.#die = error => {
        this.#failure ??= error
        reject(error)
      }
    })
    // Whoever waits for something gets the error; nobody has to wait.
    this.#death.catch(() => {})
    options.signal?.addEventListener('abort', this.#onAbort, { once: true })
    process.once('exit', this.#removeDirectory)
  }

  async #start(): Promise<void> {
    const options = this.#options
    options.onProgress?.('starting the server and the link')
    // The link's process loads its code while the server does; where the server is, it hears afterwards.
    const link = new EmulatorHandle()
    this.#link = link
    link.once('died', error => this.#die(error))
    const server = new Child<ServerOrders>(new URL('./server-child.ts', import.meta.url), {
      name: "the testbed's server process",
      error: TestbedError,
      onDeath: error => this.#die(error),
    })
    this.#server = server
    this.#certifying = makeTestCertificates(this.#directory)
    const certificates = await this.#certifying
    this.#certificates = certificates
    this.#controls = await Promise.all(this.#controlNames.map(loadControl))
    const { apiUrl, ...address } = await server.ask('start', {
      certificates,
      congestionControls: this.#controlNames,
      maxUdpPayload: options.maxUdpPayload ?? 1400,
      idleTimeoutMs: options.idleTimeoutMs ?? 30_000,
      overrides: { ...options.server, quic: { ...this.#engine, ...options.server?.quic } },
    })
    this.#serverAddress = address
    this.#apiUrl = apiUrl
    const { seed, startTimeline } = options
    await link.start({ profile: this.#profile, seed, to: address, startTimeline })
    for (let i = 0; i < (options.clients ?? 1); i++) this.addClient()
    if (options.connect !== false) {
      options.onProgress?.(
        this.#clients.length === 1 ? 'opening the tunnel' : `opening ${this.#clients.length} tunnels`,
      )
      await Promise.all(this.#clients.map(client => client.connect()))
    }
  }

  /** The first client. Throws when the testbed was started with none. */
  get client(): MasqueClient {
    const first = this.#clients[0]
    if (first === undefined) throw new TestbedError('the testbed has no client: start it with one, or call addClient()')
    return first
  }

  get clients(): readonly MasqueClient[] {
    return this.#clients
  }

  /** The emulator between clients and server: its counters, its timeline. */
  get link(): EmulatorHandle {
    if (this.#link === undefined) throw new TestbedError('the testbed has no link: it was not started')
    return this.#link
  }

  /** The profile that the link follows now. */
  get profile(): Profile {
    return this.#profile
  }

  /** Where the server itself listens, behind the link. */
  get serverAddress(): { host: string; port: number } {
    return this.#serverAddress
  }

  /** The server's REST API and metrics, when `server: { api: { enabled: true } }` asked for it. */
  get apiUrl(): string | undefined {
    return this.#apiUrl
  }

  /** Opens the first client's tunnel; after `connect: false`. Rejects with ClientError or TestbedError. */
  connect(): Promise<TunnelInfo> {
    return this.whileAlive(() => this.client.connect())
  }

  /** One more client, not connected yet: with an encapsulation of its own, say. It is closed with the testbed. */
  addClient(overrides: ClientConfigOverrides = {}): MasqueClient {
    if (this.#closed !== undefined) throw new TestbedError('the testbed is closed: it takes no more clients')
    const { encapsulation, maxUdpPayload, idleTimeoutMs, client: general = {} } = this.#options
    const control = this.#controls[this.#clients.length % this.#controls.length]
    const isOwn = typeof control === 'function'
    const quic = {
      ...this.#engine,
      ...(!isOwn && { congestionControl: control }),
      maxUdpPayload: maxUdpPayload ?? 1400,
      idleTimeoutMs: idleTimeoutMs ?? 30_000,
      ...general.quic,
      ...overrides.quic,
    }
    const client = newTestClient(
      this.#certificates,
      this.link.address,
      {
        auth: { ...general.auth, ...overrides.auth },
        proxy: { ...general.proxy, ...overrides.proxy },
        tls: { ...general.tls, ...overrides.tls },
        tunnel: {
          encapsulation: encapsulation ?? 'datagram',
          linkProbe: 'off',
          ...general.tunnel,
          ...overrides.tunnel,
        },
        quic,
        // It is off: a tunnel that dies and comes back would be two measurements in one; who wants that asks for it.
        reconnect: { ...general.reconnect, ...overrides.reconnect },
        log: { level: 'silent', ...general.log, ...overrides.log },
      },
      isOwn ? { connect: connectWith(control, quic) } : {},
    )
    this.#clients.push(client)
    return client
  }

  /** Makes another link of this one, at once. The tunnels stay; what is on its way is the emulator's affair. */
  async setProfile(profile: Profile | string): Promise<void> {
    const next = typeof profile === 'string' ? loadProfile(profile) : profile
    await this.whileAlive(() => this.link.setProfile(next))
    this.#profile = next
  }

  /** What the library has seen of a flow. `sent`: see FlowSink.lost. */
  sink(flowId: number, sent?: number): Promise<FlowSummary> {
    return this.#proxy().ask('sink', { flowId, sent }, IN_TIME)
  }

  /** Makes the library forget a flow, so that its id can be used again. */
  async forgetFlow(flowId: number): Promise<void> {
    await this.#proxy().ask('forgetFlow', flowId, IN_TIME)
  }

  /** Sends a flow from the library down to a client; resolves when the last packet was sent. */
  sendFlow(flow: DownwardFlow): Promise<{ sent: number }> {
    return this.#proxy().ask('sendFlow', flow)
  }

  serverStatus(): Promise<ServerStatus> {
    return this.#proxy().ask('status', null, IN_TIME)
  }

  /** CPU time of the server's process since its start in ms, and its resident memory in bytes. */
  serverResources(): Promise<{ cpuMs: number; rssBytes: number }> {
    return this.#proxy().ask('resources', null, IN_TIME)
  }

  /**
   * Does some work on the testbed, and rejects as soon as the testbed is no more: a process died (TestbedError, with its
   * last words) or the signal was aborted (its reason). The work itself is not stopped; it fails by itself or is idle.
   */
  whileAlive<T>(work: () => Promise<T>): Promise<T> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    return Promise.race([work(), this.#death])
  }

  /** Ends clients, link and server, in this order, and removes the certificates. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#shutDown()
    return this.#closed
  }

  async #shutDown(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort)
    // One that cannot be closed must not keep the others open.
    await Promise.allSettled(this.#clients.map(client => client.close()))
    // The certificates may just be being written into the directory that is to go.
    await Promise.allSettled([this.#link?.close(), this.#server?.close(), this.#certifying])
    process.off('exit', this.#removeDirectory)
    this.#removeDirectory()
    this.#die(new TestbedError('the testbed was closed'))
  }

  get #controlNames(): readonly ControlName[] {
    return [this.#options.congestionControl ?? 'cubic'].flat()
  }

  /** A controller of one's own runs on this engine only. */
  get #engine(): { engine?: 'typescript' } {
    return this.#controlNames.some(isControllerFile) ? { engine: 'typescript' } : {}
  }

  #proxy(): Child<ServerOrders> {
    if (this.#server === undefined) throw new TestbedError('the testbed was not started')
    return this.#server
  }

  readonly #onAbort = (): void => {
    this.#die(this.#options.signal?.reason)
    void this.close()
  }

  readonly #removeDirectory = (): void => rmSync(this.#directory, { recursive: true, force: true })
}

/** What the server answers at once, as long as it runs. */
const IN_TIME = { limitMs: 30_000 }
/** For the certificates. */
const FOLDER = 'testbed'
