import { connect } from 'node:http2'
import { expect } from 'chai'
import fc from 'fast-check'
import { CATALOGUE, type Definition, OTHER } from '../../../src/server/metrics/catalogue.ts'
import { type ErrorType, ServerMetrics } from '../../../src/server/metrics.ts'
import { closeLoopback, startServer } from '../../support/loopback.ts'
import { FakeApiSource } from '../fake-api-source.ts'
import { fakeReadings } from '../fake-readings.ts'
import { parseMetrics } from './parse.ts'

const MOST_SERIES = 600

/** Throws when a time series has a label or a value that the catalogue does not list. */
function checkSeries(text: string): number {
  const series = [...parseMetrics(text).keys()]
  for (const one of series) {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(one) ?? []
    const metric = name in CATALOGUE ? name : name.replace(/_(bucket|sum|count)$/, '')
    const definition: Definition | undefined = CATALOGUE[metric as keyof typeof CATALOGUE]
    if (definition === undefined) throw new Error(`not in the catalogue: ${one}`)
    for (const [, label, value] of labels.matchAll(/(\w+)="([^"]*)"/g)) {
      if (label === 'le' && definition.buckets !== undefined) continue
      if (value !== OTHER && definition.labels?.[label]?.includes(value) !== true) throw new Error(`not listed: ${one}`)
    }
  }
  return series.length
}

const counts = fc.dictionary(
  fc.oneof(fc.string(), fc.constantFrom('full', 'no-route', '__proto__', 'a"b\\\n')),
  fc.nat(),
)

describe('the time series of the metrics', () => {
  afterEach(closeLoopback)

  it('are those of the catalogue, whatever reasons and types are counted', () => {
    return fc.assert(
      fc.asyncProperty(counts, counts, counts, fc.array(fc.string()), async (dropped, udp, tun, errors) => {
        const status = new FakeApiSource().currentStatus
        const odd = { ...status, packets: { ...status.packets, dropped }, unsent: { udp, tun } }
        const metrics = new ServerMetrics({ readings: () => fakeReadings(odd) })
        for (const error of errors) metrics.countError(error as ErrorType)
        const text = await metrics.text()
        expect(checkSeries(text)).to.be.at.most(MOST_SERIES)
        const samples = parseMetrics(text)
        const total = (name: string) =>
          [...samples].filter(([series]) => series.startsWith(`${name}{`)).reduce((sum, [, value]) => sum + value, 0)
        // Nothing is lost by it: what has no name of its own is among the others.
        const sum = (all: Record<string, number>) => Object.values(all).reduce((a, b) => a + b, 0)
        expect(total('masque_vpn_packets_dropped_total')).to.equal(sum(dropped))
        expect(total('masque_vpn_packets_unsent_total')).to.equal(sum(udp) + sum(tun))
        expect(total('masque_vpn_errors_total')).to.equal(errors.length)
      }),
      { numRuns: 30 },
    )
  })

  it('are those of the catalogue, whatever clients say', async () => {
    const server = await startServer()
    const series = async () => checkSeries(await server.metrics.text())
    const before = await series()
    const { host, port } = server.address
    const session = connect(`https://${host}:${port}`, { rejectUnauthorized: false })
    session.on('error', () => {})
    await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const stream = session.request({
          ':method': ['GET', 'BREW', `M${i}`, 'CONNECT'][i % 4],
          ...(i % 4 === 3 && { ':protocol': i % 8 === 3 ? 'connect-ip' : `p${i}` }),
          ':path': `/.well-known/masque/ip/host-${i}.example/${i}/?x=%22%0a`,
          ':authority': `name-${i}.example`,
          authorization: `Bearer "${i}`,
          'masque-lab-client': `client-${i}`,
          'user-agent': `agent "${i}\\`,
        })
        return new Promise<void>(resolve => {
          stream.on('error', () => {}).on('close', resolve)
          stream.resume().end()
        })
      }),
    )
    session.destroy()
    const after = await series()
    // Perhaps some "other", and the histogram of handshakes over h2.
    expect(after - before).to.be.within(0, 30)
    expect(after).to.be.at.most(MOST_SERIES)
  })
})
