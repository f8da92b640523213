import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { connectClient, PATIENT, startServer, until } from '../support/loopback.ts'
import { scratchFolder } from '../support/scratch.ts'
import { usePages } from './pages.ts'

const TOKEN = 'a-token-that-is-long-enough'
const WITH_TOKEN: ServerConfigOverrides = {
  auth: {
    mode: 'token',
    tokens: [{ identity: 'ada', sha256: createHash('sha256').update(TOKEN).digest('hex'), maxTunnels: 4 }],
  },
}

describe('the page in a browser', () => {
  const pages = usePages()
  let page: Page

  beforeEach(async () => {
    page = await pages.open()
  })

  const startProxy = (overrides: ServerConfigOverrides = {}): Promise<MasqueServer> =>
    startServer({ api: { enabled: true, port: 0 }, webTransport: {}, ...overrides })

  async function open(server: MasqueServer): Promise<void> {
    await page.goto(`${server.apiUrl}/browser/`)
  }

  /** Until the page says so. Where it never does, what it says instead tells why. */
  async function status(text: string): Promise<void> {
    const said = page.getByRole('status')
    try {
      await said.filter({ hasText: text }).waitFor()
    } catch (error) {
      throw new Error(`the page does not say "${text}", but "${await said.textContent()}"`, { cause: error })
    }
  }

  async function connect(server: MasqueServer): Promise<string[]> {
    await open(server)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await status('The tunnel is up.')
    return (await page.locator('#addresses li').allTextContents()).map(text => text.replace(/\/.*/, ''))
  }

  async function ping(target: string): Promise<string> {
    const before = await page.locator('#pings li').count()
    await page.getByLabel('Address', { exact: true }).fill(target)
    await page.getByRole('button', { name: 'Ping' }).click()
    await page.locator('#pings li').nth(before).waitFor()
    return (await page.locator('#pings li').first().textContent()) ?? ''
  }

  it('gets an address of each version, and pings the proxy and hosts behind it', async () => {
    const server = await startProxy()
    const addresses = await connect(server)
    expect(addresses).to.deep.equal(server.clients()[0].addresses)
    expect(addresses).to.have.length(2)
    for (const target of ['10.90.0.1', 'fd00:90::1', String(server.gateway.v4), String(server.gateway.v6)]) {
      expect(await ping(target)).to.match(new RegExp(`^${target}: answered in [0-9.]+ ms$`))
    }
    expect(await ping('10.90.0.300')).to.include('an IPv4 or IPv6 address is expected')
  })

  it('answers pings of 1280 bytes, which IPv6 asks of a link, though its datagrams are smaller', async () => {
    const server = await startProxy({ tunnel: { linkProbe: 'require' } })
    await connect(server)
    await until(() => server.clients()[0]?.linkProbe === 'ok')
    await page.getByText('(1280 bytes)').first().waitFor()
  })

  it('pings another client, which pings it', async () => {
    const server = await startProxy()
    const [ipv4, ipv6] = await connect(server)
    const { client, info } = await connectClient(server)
    for (const address of [ipv4, ipv6]) await client.ping(address, PATIENT)
    for (const { address } of info.assigned) expect(await ping(String(address))).to.include('answered in')
  })

  it('shows packets as they pass, field by field', async () => {
    await connect(await startProxy())
    await ping('10.90.0.1')
    const request = page.locator('#packets summary', { hasText: '→ 10.90.0.1  ICMP echo request' })
    await request.focus()
    await page.keyboard.press('Enter')
    // The fields are decoded once the browser has told of the opening, which is a while after it.
    await page.locator('#packets details[open] table').waitFor()
    const rows = await page.locator('#packets details[open] tr').allInnerTexts()
    const texts = rows.map(row => row.split('\t').slice(1, 3).join(': '))
    expect(texts).to.include.members([
      'Time to live: 64',
      'Protocol: 1 (ICMP)',
      'Destination address: 10.90.0.1',
      'ICMP type: 8 (echo request)',
    ])
    expect(texts.filter(text => /checksum: 0x[0-9a-f]{4}, correct$/.test(text))).to.have.length(2)
  })

  it('leaves in good order, and gives its addresses back', async () => {
    const server = await startProxy()
    await connect(server)
    await page.getByRole('button', { name: 'Disconnect' }).click()
    await status('There is no tunnel: closed by this page.')
    await until(() => server.clients().length === 0)
    expect(server.status().pools.map(pool => pool.used)).to.deep.equal([0, 0])
    const closed = server.connectionLog().find(entry => entry.event === 'tunnel-closed')
    expect(closed?.detail).to.equal('the peer closed the tunnel')
  })

  it('says that the proxy has gone', async () => {
    const server = await startProxy()
    await connect(server)
    await server.close()
    await status('There is no tunnel:')
    expect(await page.getByRole('button', { name: 'Connect', exact: true }).isEnabled()).to.equal(true)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await status('No tunnel: the proxy does not answer, or refuses.')
  })

  it('gets in with the right bearer token only', async () => {
    const server = await startProxy(WITH_TOKEN)
    await open(server)
    await page.getByLabel('Bearer token').fill('another')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await status('or the token is not one that it knows')
    expect(server.clients()).to.deep.equal([])
    await page.getByLabel('Bearer token').fill(TOKEN)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await status('The tunnel is up.')
    expect(server.clients()[0].identity).to.equal('ada')
  })

  it('is told what is wrong with a certificate that browsers do not take', async () => {
    const longLived = await makeTestCertificates(scratchFolder('masque-long-lived-'), { serverDays: 30 })
    const server = await startProxy({ tls: { certificate: longLived.server, key: longLived.serverKey } })
    await open(server)
    await status('it is valid for 30 days, and at most 14 are allowed; make another with `npm run cert -- --days 13`')
  })

  it('is the only one, with those of the configuration: pages of other origins are refused', async () => {
    const server = await startProxy()
    const own = `${server.apiUrl}/browser/`
    // Another site, whose page is a copy of ours.
    const site = createServer(async (request, response) => {
      const original = await fetch(new URL(request.url ?? '', own))
      response.setHeader('content-type', original.headers.get('content-type') ?? '')
      response.end(Buffer.from(await original.arrayBuffer()))
    }).listen(0, '127.0.0.1')
    pages.closeLater(() => new Promise(resolve => site.close(resolve)))
    await until(() => site.listening)
    await page.goto(`http://127.0.0.1:${(site.address() as AddressInfo).port}/browser/`)
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await status('No tunnel: the proxy does not answer, or refuses')
    expect(server.connectionLog().map(({ detail }) => detail)).to.satisfy((details: string[]) =>
      details.some(detail => /^pages of the origin "http:\/\/127\.0\.0\.1:\d+" may not open tunnels here/.test(detail)),
    )
  })
})
