import { readdirSync } from 'node:fs'
import { expect } from 'chai'
import type { CompareResult } from '../../../bench/compare/compare.ts'
import { whyNoCompareNetwork } from '../../../bench/compare/network.ts'
import { WIREGUARD } from '../../../bench/compare/wireguard.ts'
import { command } from '../../support/command.ts'
import { ownTmpdir } from '../../support/own-tmpdir.ts'

let temporary: ReturnType<typeof ownTmpdir>
const leftovers = () => readdirSync(temporary.path).filter(name => name.startsWith('masque-compare-'))

async function quick(profile: string, contender: string, ...more: string[]): Promise<CompareResult> {
  const args = ['compare', profile, '--quick', '--json', '--only', contender, ...more]
  const { status, stdout, stderr } = await command(args)
  expect(status, stderr).to.equal(0)
  return JSON.parse(stdout)
}

describe('npm run compare with real interfaces', () => {
  before(function () {
    if (whyNoCompareNetwork() !== undefined) this.skip()
  })
  beforeEach(() => {
    temporary = ownTmpdir()
  })
  afterEach(() => temporary.remove())

  it('carries CONNECT-IP over a handover: the client leaves by its other interface, and goes on', async () => {
    const result = await quick('handover-wifi-lte', 'connect-ip-told')
    expect(result.failures).to.deep.equal([])
    const { figures, echoes } = result.contenders[0].runs[0]
    expect(figures.recoveryMs[0]).to.be.within(60, 5000)
    // Wi-Fi before, LTE after it: that is the delay of another path, and not the same one again.
    expect(figures.after?.p50Ms).to.be.above(60)
    expect(echoes.length).to.equal(800)
    expect(leftovers()).to.deep.equal([])
  })

  it('lets one TCP connection go on through CONNECT-IP over NAT rebinding', async () => {
    const result = await quick('nat-rebind', 'connect-ip', '--tcp')
    expect(result.failures).to.deep.equal([])
    const { tcp } = result.contenders[0].runs[0]
    expect(tcp?.hasSurvived).to.equal(true)
    for (const part of ['before', 'after'] as const) expect(tcp?.goodputKbit?.[part], part).to.be.above(100)
  })

  it('carries CONNECT-IP over HTTP/2 over the same link: its TCP waits for the end of an outage, and loses nothing', async () => {
    const result = await quick('outage-3s', 'connect-ip-h2')
    expect(result.failures).to.deep.equal([])
    expect(result.absent.join()).not.to.include('HTTP/2')
    const { figures } = result.contenders[0].runs[0]
    // The link's own round trip: nothing has passed beside it.
    expect(figures.before?.p50Ms).to.be.above(40)
    expect(figures.during?.p95Ms).to.be.above(2000)
    expect(figures.recoveryMs[0]).to.be.above(20)
    expect(figures.whole.lost).to.be.below(20)
  })

  it('carries wireguard-go over NAT rebinding', async function () {
    if (WIREGUARD.whyNot() !== undefined) this.skip()
    const result = await quick('nat-rebind', 'wireguard-go')
    expect(result.failures).to.deep.equal([])
    expect(result.contenders[0].runs[0].figures.recoveryMs[0]).to.be.within(25, 2000)
  })
})
