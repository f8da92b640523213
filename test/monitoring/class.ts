/** A class at work: a proxy with its API, and clients over each carrier that ping, fill their tunnels, move, come, go and are refused. */
import type { MasqueClient } from '../../src/client/client.ts'
import { IpAddress } from '../../src/ip/address.ts'
import { runGreedyFlow } from '../../src/probes/greedy-flow.ts'
import { GreedySink } from '../../src/probes/greedy-sink.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { TwoPaths } from '../../src/testbed/two-paths.ts'
import { closeLoopback, connectClient, newClient, startServer } from '../support/loopback.ts'

const ECHO = IpAddress.parse('10.90.0.1')
const ECHO6 = IpAddress.parse('fd00:90::1')
/** An address in the pool that nobody has. */
const NOBODY = IpAddress.parse('10.89.0.250')
/** The class does something a few times a second, so that two scrapes always see it, and the machine has time for Prometheus. */
const PAUSE_MS = 250

export class Class {
  readonly server: MasqueServer
  readonly #paths: TwoPaths
  readonly #stop = new AbortController()
  readonly #work: Promise<unknown>[] = []

  static async start(): Promise<Class> {
    const api = { enabled: true, host: '127.0.0.1', port: 0 }
    const server = await startServer({ api }, { processMetrics: true })
    const sink = server.host('echo')
    if (sink === undefined) throw new Error('the proxy has no host "echo"')
    new GreedySink(sink)
    const paths = await TwoPaths.open(server.address, 2)
    const lesson = new Class(server, paths)
    await lesson.#begin()
    return lesson
  }

  private constructor(server: MasqueServer, paths: TwoPaths) {
    this.server = server
    this.#paths = paths
  }

  async #begin(): Promise<void> {
    const { server } = this
    const { client: busy } = await connectClient(server)
    const { client: waiting } = await connectClient(server, { tunnel: { encapsulation: 'single-stream' } })
    const { client: streams } = await connectClient(server, { tunnel: { encapsulation: 'stream-per-packet' } })
    const { client: tcp } = await connectClient(server, { tunnel: { carrier: 'h2' } })
    const { client: old } = await connectClient(server, { tunnel: { carrier: 'h1' } })
    const { client: mobile } = await connectClient(server, { proxy: { address: this.#paths.first } })

    this.#again(flowId => greedy(busy, flowId, this.#stop.signal))
    this.#again(flowId => greedy(tcp, 1000 + flowId, this.#stop.signal))
    for (const client of [busy, waiting, streams, tcp, old, mobile]) {
      this.#again(() => client.ping(ECHO, { timeoutMs: 1000 }))
      this.#again(() => client.ping(ECHO6, { timeoutMs: 1000 }))
    }
    this.#again(() => old.ping(NOBODY, { timeoutMs: 50 }))
    this.#again(turn => mobile.migrate({ remote: turn % 2 === 0 ? this.#paths.second : this.#paths.first }))
    this.#again(async turn => {
      const { client } = await connectClient(server, { tunnel: { carrier: (['h3', 'h2', 'h1'] as const)[turn % 3] } })
      await client.close()
    })
    // Somebody who has mistyped the path.
    this.#again(async () => {
      const { host, port } = server.address
      const template = `https://localhost:${port}/nothing/{target}/{ipproto}/`
      const client = await newClient(server, { proxy: { template, address: { host, port } } })
      await client.connect().finally(() => client.close())
    })
  }

  /** Until the end; what goes wrong in between, as a ping that is lost in a full queue, is a part of the lesson. */
  #again(work: (turn: number) => Promise<unknown>): void {
    const goOn = async () => {
      for (let turn = 0; !this.#stop.signal.aborted; turn++) {
        await work(turn).catch(() => {})
        await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
      }
    }
    this.#work.push(goOn())
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#work)
    await closeLoopback()
    await this.#paths.close()
  }
}

/** For a moment, as fast as the path allows, with more under way than the queue of a tunnel has room for. */
function greedy(client: MasqueClient, flowId: number, signal: AbortSignal): Promise<unknown> {
  return runGreedyFlow({
    host: client.host,
    destination: ECHO,
    durationMs: 200,
    initialWindow: 32,
    maxWindow: 64,
    flowId,
    signal,
  })
}
