/** The cases of QUIC alone as tests, whoever the two are. */

import { loadUdpCalls } from '../../src/quic/udp/linux-calls.ts'
import type { BadPath } from './bad-path.ts'
import { type AtEnd, judgePath, type Party, QUIC_CASES, type QuicCase, TIMEOUT_MS, whyNot } from './quic-cases.ts'
import { figure, leaveOut } from './remarks.ts'

/** What a case has shown: the paths between both, and how fast each client was, in Mbit/s. */
export interface Played {
  paths: readonly BadPath[]
  goodputs: readonly number[]
}

/** Tests in the suite around it, a case each. Both are asked for when a case runs, since our engine changes. */
export function quicCases(
  client: () => Party,
  server: () => Party,
  play: (each: QuicCase, atEnd: AtEnd) => Promise<Played>,
): void {
  const cleanUps: (() => unknown)[] = []
  afterEach(() => Promise.all(cleanUps.splice(0).map(cleanUp => cleanUp())))

  for (const each of QUIC_CASES) {
    it(`QUIC ${each.name}: both ${each.does}`, async function () {
      const why = whyNot(each, client(), server())
      if (why !== undefined) return leaveOut(this, why)
      const noMarks = each.marks ? whyNoMarksHere() : undefined
      if (noMarks !== undefined) return leaveOut(this, noMarks)
      const { paths, goodputs } = await play(each, cleanUp => cleanUps.push(cleanUp))
      for (const path of paths) judgePath(each, path, server())
      if (each.measured) figure(this, goodputs.map(goodput => goodput.toFixed(1)).join(' + '))
    }).timeout(TIMEOUT_MS)
  }
}

/** The sockets of node:dgram have no ECN. */
function whyNoMarksHere(): string | undefined {
  const calls = loadUdpCalls()
  if (typeof calls === 'string') return `sockets cannot carry the ECN field here: ${calls}`
  return process.env.MASQUE_UDP === 'dgram' ? 'sockets cannot carry the ECN field: MASQUE_UDP is dgram' : undefined
}
