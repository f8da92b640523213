/** The two processes of a throughput benchmark: what the parent orders, and how a child reports. */

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { TestCertificates } from '../src/cert/make-certificates.ts'
import type { CongestionControl } from '../src/quic/quic.ts'

export interface PeerOrder {
  kind: 'ceiling' | 'tunnel'
  role: 'receiver' | 'sender'
  certificates: TestCertificates
  /** Where the receiver listens; for the sender only. */
  port?: number
  /** Bytes of one QUIC DATAGRAM payload (ceiling) or of one IP packet (tunnel). */
  datagramLength: number
  maxUdpPayload: number
  datagramQueue: number
  congestionControl: CongestionControl
  encapsulation: 'datagram' | 'stream-per-packet' | 'single-stream'
  reportMs: number
}

/** Counters since the child began. */
export interface PeerReport {
  type: 'report'
  atMs: number
  sent: number
  received: number
  cpuUs: number
  rssBytes: number
}

/** Sends the counters to the parent again and again; `stop` is called when the parent says so or goes away. */
export function reportEvery(
  intervalMs: number,
  read: () => { sent: number; received: number },
  stop: () => void,
): void {
  const send = (): void => {
    const cpu = process.cpuUsage()
    process.send?.({
      type: 'report',
      atMs: performance.now(),
      cpuUs: cpu.user + cpu.system,
      rssBytes: process.memoryUsage.rss(),
      ...read(),
    } satisfies PeerReport)
  }
  const timer = setInterval(send, intervalMs)
  const end = (): void => {
    clearInterval(timer)
    stop()
    if (process.connected) process.disconnect()
  }
  process.on('message', message => {
    if (message === 'stop') end()
  })
  process.on('disconnect', () => process.exit(0))
}

/** Starts one child; `onMessage` gets everything it says. */
export function startPeer(
  order: PeerOrder,
  onMessage: (message: PeerReport | { type: 'listening'; port: number }) => void,
): ChildProcess {
  const child = fork(fileURLToPath(new URL('./peer.ts', import.meta.url)), [JSON.stringify(order)], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  child.on('message', message => onMessage(message as PeerReport))
  return child
}
