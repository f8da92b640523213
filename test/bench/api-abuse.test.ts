import { expect } from 'chai'
import { ApiAbuser } from '../../bench/api-abuser.ts'
import { apiAbuseRows } from '../../bench/rows.ts'
import { askApi } from '../support/api-client.ts'
import { closeLoopback, startServer, until } from '../support/loopback.ts'

describe('bench api-abuse', () => {
  afterEach(closeLoopback)

  it('really abuses: more connections than there are answers, and when it stops, the API is there again', async () => {
    const server = await startServer({ api: { enabled: true, port: 0 } })
    const url = server.apiUrl as string
    const abuser = new ApiAbuser(Number(new URL(url).port))
    await until(() => abuser.counts.answered >= 10)
    const { connections, answered } = await abuser.stop()
    expect(connections).to.be.greaterThan(answered + 100)
    expect(await abuser.stop()).to.deep.equal({ connections, answered })
    await until(async () => (await askApi(url, '/health').catch(() => ({ status: 0 }))).status === 200)
  })

  it('prints both ratios with their intervals, and what the abuse was', () => {
    const ratio = { estimate: 0.98, low: 0.95, high: 1.01, confidence: 0.95 }
    const text = apiAbuseRows({
      pairs: 20,
      throughput: ratio,
      perCpuSecond: { ...ratio, estimate: 0.97 },
      pps: 30_000,
      abuse: { connections: 8_000, answered: 4_000 },
    })
    expect(text).to.include('20 pairs, load ')
    expect(text).to.include('packets/s with abuse / without (30000): 0.9800 (95 %: 0.9500 to 1.0100)')
    expect(text).to.include('per CPU second of the proxy: 0.9700 (95 %: 0.9500 to 1.0100)')
    expect(text).to.include('8000 connections, of which 4000 were answered')
  })
})
