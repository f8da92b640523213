/** One end of a tunnel of connect-ip-go: the Go program in interop/connect-ip-go/cmd/bench, as a process. */

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { goProgram } from '../interop/harness/go-programs.ts'
import type { PeerOrder, PeerProcess } from './child.ts'
import type { PeerReport } from './peer.ts'

type GoProcess = ChildProcessByStdio<Writable, Readable, Readable>
type Line = { event: 'started'; port: number } | ({ event: 'counters' } & PeerReport) | { event: 'error' | 'log' }

export class GoPeer implements PeerProcess {
  #process: GoProcess | undefined
  #ended: Promise<unknown> = Promise.resolve()
  #next: { resolve(line: Line): void; reject(error: Error): void } | undefined
  #said = ''

  async start(order: PeerOrder): Promise<number> {
    const { role, certificates, port, datagramLength, maxUdpPayload } = order
    const child = spawn(
      goProgram('bench'),
      [
        ...['-role', role, '-packet-size', String(maxUdpPayload), '-length', String(datagramLength)],
        ...(role === 'receiver'
          ? ['-certificate', certificates.server, '-key', certificates.serverKey]
          : ['-ca', certificates.ca, '-port', String(port)]),
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    this.#process = child
    this.#ended = new Promise(resolve => {
      const fail = (error: Error): void => {
        this.#next?.reject(error)
        resolve(undefined)
      }
      child.once('error', fail)
      child.once('close', status =>
        fail(new Error(`the connect-ip-go ${role} ended with status ${status}; it said last: ${this.#said.trim()}`)),
      )
    })
    // It has ended: the wait for its answer says so.
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', text => {
      this.#said = (this.#said + text).slice(-2000)
    })
    createInterface({ input: child.stdout }).on('line', text => {
      const line: Line = JSON.parse(text)
      if (line.event === 'started' || line.event === 'counters') this.#next?.resolve(line)
      else this.#said = (this.#said + text).slice(-2000)
    })
    const started = await this.#line()
    return started.event === 'started' ? started.port : 0
  }

  async counters(): Promise<PeerReport> {
    const answer = this.#line()
    this.#process?.stdin.write('counters\n')
    return (await answer) as PeerReport & { event: 'counters' }
  }

  async held(): Promise<number> {
    return Number.NaN
  }

  /** The end of its input is the end of the program. */
  async close(): Promise<void> {
    this.#process?.stdin.end()
    const timer = setTimeout(() => this.#process?.kill('SIGKILL'), 2_000)
    await this.#ended
    clearTimeout(timer)
  }

  #line(): Promise<Line> {
    return new Promise((resolve, reject) => {
      this.#next = { resolve, reject }
    })
  }
}
