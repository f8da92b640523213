import { expect } from 'chai'
import { MasqueClient } from '../../src/client/client.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import type { CaseProgram, PeerCase, Verdict } from './case-program.ts'
import { ourCertificates } from './certificates.ts'
import { clientConfig } from './client-config.ts'
import { knownFault } from './known-fault.ts'
import { runOurClient } from './our-client.ts'
import { ourEngine } from './our-quic.ts'
import { startProxy, TOKEN } from './setups.ts'
import { ping } from './wait.ts'

/** One of the proxy's hosts in `startProxy`. */
const HOST = '10.90.0.1'

/**
 * A suite of a peer's cases as a client of our proxy. Each has a proxy of its own; after each, a client of ours still
 * finds it at work.
 */
export function clientSuite(title: string, program: CaseProgram, cases: readonly PeerCase[]): void {
  describe(title, () => {
    let proxy: MasqueServer | undefined

    afterEach(async () => {
      await proxy?.close()
      proxy = undefined
    })

    after(() => program.stop())

    for (const each of cases.filter(({ role }) => role === 'client')) {
      it(each.name, async function () {
        const { ca } = await ourCertificates()
        proxy = await startProxy(each.ours.proxy)
        const { port } = proxy.address
        const token = each.ours.proxy === 'token' ? TOKEN : undefined
        const verdict = await program.run(each.name, { port, ca, token, engine: ourEngine() })
        await stillServes(port, ca, token)
        if (each.knownFault) return knownFault(this, each.knownFault, verdict)
        judge(each, verdict)
      })
    }
  })
}

/** A suite of a peer's cases as a proxy of our client: what each side found must be right. */
export function proxySuite(title: string, program: CaseProgram, cases: readonly PeerCase[]): void {
  describe(title, () => {
    after(() => program.stop())

    for (const each of cases.filter(({ role }) => role === 'proxy')) {
      it(each.name, async function () {
        const { ca, server, serverKey } = await ourCertificates()
        const { port, verdict } = await program.serve(each.name, { certificate: server, key: serverKey })
        const ours = await runOurClient(each.ours, port, ca).catch((error: Error) => error)
        const theirs = await verdict
        if (each.knownFault) return knownFault(this, each.knownFault, theirs)
        // What the peer saw says more than what our client made of it.
        judge(each, theirs)
        if (ours instanceof Error) throw ours
      })
    }
  })
}

/** Whatever the peer did, others must not feel it. */
async function stillServes(port: number, ca: string, token: string | undefined): Promise<void> {
  const witness = new MasqueClient(clientConfig({ port, ca, token }))
  try {
    await witness.connect()
    await ping(witness, HOST, 56)
  } finally {
    await witness.close()
  }
}

/** Shows both sides of a failed case: what is right, what was found, and the peer's log. */
export function judge({ source, sends, expects }: PeerCase, verdict: Verdict): void {
  if (verdict.ok) return
  expect.fail(
    [
      `${expects} (${source})`,
      `  the peer sent: ${sends}`,
      `  expected:      ${verdict.expected}`,
      `  found:         ${verdict.found}`,
      '  its log:',
      ...verdict.log.map(line => `    ${line}`),
    ].join('\n'),
  )
}
