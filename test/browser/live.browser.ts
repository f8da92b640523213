import { expect } from 'chai'
import type { Locator, Page } from 'playwright-core'
import type { MasqueClient } from '../../src/client/client.ts'
import type { ClientConfigOverrides } from '../../src/client/config.ts'
import type { ServerConfigOverrides } from '../../src/server/config.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { connectClient, keepPinging, startServer } from '../support/loopback.ts'
import { usePages } from './pages.ts'

/** What is used here of the types of a page, which TypeScript is not told of. */
interface Canvas {
  width: number
  height: number
  getContext(kind: '2d'): { getImageData(x: number, y: number, width: number, height: number): { data: Uint8Array } }
}
interface Node {
  querySelector(name: string): { textContent: string; getAttribute(name: string): string } | null
}

describe('the live view in a browser', () => {
  const pages = usePages()
  let page: Page

  beforeEach(async () => {
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
  })

  const startProxy = (overrides: ServerConfigOverrides = {}): Promise<MasqueServer> =>
    startServer({
      ...overrides,
      api: { enabled: true, port: 0, live: true, ...overrides.api },
      limits: { retry: 'never' },
    })

  const joinTunnel = async (server: MasqueServer, overrides?: ClientConfigOverrides): Promise<MasqueClient> =>
    (await connectClient(server, overrides)).client

  async function open(server: MasqueServer): Promise<void> {
    await page.goto(server.liveUrl as string)
    await live()
  }

  const live = (): Promise<void> =>
    page
      .getByRole('status')
      .filter({ hasText: /^Live$/ })
      .waitFor()
  const rows = (): Locator => page.locator('#clients tbody tr')
  const number = (name: string, text: string | RegExp): Promise<void> =>
    page.locator(`#n-${name}`).filter({ hasText: text }).waitFor()

  /** Until the test ends. */
  function beginPinging(client: MasqueClient): void {
    const train = keepPinging(client, '10.90.0.1')
    pages.closeLater(train.stop)
  }

  it('shows clients as they come and go, with their addresses and what carries them', async () => {
    const server = await startProxy()
    await open(server)
    await page.getByText('There is no client yet.').waitFor()
    await number('clients', /^0$/)
    const first = await joinTunnel(server)
    await number('clients', /^1$/)
    await joinTunnel(server, { tunnel: { carrier: 'h2' } })
    await number('clients', /^2$/)
    await rows().nth(1).waitFor()
    const [h3, h2] = await rows().allInnerTexts()
    expect(h3).to.include('HTTP/3, datagrams')
    expect(h2).to.include('HTTP/2, one stream')
    for (const address of server.clients()[0].addresses) expect(h3).to.include(address)
    await first.close()
    await number('clients', /^1$/)
    await rows().filter({ hasText: 'HTTP/3' }).waitFor({ state: 'detached' })
    expect(await rows().count()).to.equal(1)
  })

  it('shows what flows, and round trips, as they are', async () => {
    const server = await startProxy()
    await open(server)
    const client = await joinTunnel(server)
    beginPinging(client)
    await number('from', /^[1-9][0-9.]*[kM]?bit\/s$/)
    await number('to', /^[1-9][0-9.]*[kM]?bit\/s$/)
    // Less than one where the machine is fast.
    await number('rtt', /^(<1|[0-9.]+)ms$/)
    await page.locator('#chart-throughput[aria-label*="from clients"]:not([aria-label*="clients –"])').waitFor()
    // A line is drawn: the canvas is not of one colour.
    const colours = await page.locator('#chart-throughput canvas').evaluate(node => {
      const canvas = node as unknown as Canvas
      const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      return new Set(new Uint32Array(pixels.data.buffer)).size
    })
    expect(colours).to.be.greaterThan(3)
  })

  it('names what is behind the proxy, and leads to the page that joins where there is one', async () => {
    const server = await startProxy({ webTransport: {} })
    await open(server)
    await page.locator('#topology .host').filter({ hasText: 'echo' }).waitFor()
    await page.getByRole('link', { name: 'Join from this browser' }).click()
    await page.getByRole('heading', { name: 'A browser in the tunnel' }).waitFor()
  })

  it('offers nobody a page to join with that is not there', async () => {
    const server = await startProxy()
    await open(server)
    await page.locator('#topology .host').filter({ hasText: 'echo' }).waitFor()
    expect(await page.getByRole('link', { name: 'Join from this browser' }).count()).to.equal(0)
  })

  it('shows packets as they pass, and one of them field by field, from the QUIC datagram to the payload', async () => {
    const server = await startProxy()
    await open(server)
    beginPinging(await joinTunnel(server))
    const ping = page.locator('#samples button').filter({ hasText: '→ 10.90.0.1 ICMP echo request' }).first()
    await ping.waitFor()
    // The list goes on until something in it has the focus.
    await page.locator('#hold').click()
    await ping.focus()
    await page.keyboard.press('Enter')
    const layers = page.locator('#layers table.layer')
    await layers.filter({ hasText: '8 (echo request)' }).waitFor()
    expect((await layers.locator('caption').allInnerTexts()).map(text => text.trim())).to.deep.equal([
      'QUIC DATAGRAM frame RFC 9221 §4',
      'HTTP/3 Datagram RFC 9297 §2.1',
      'CONNECT-IP payload RFC 9484 §6',
      'IPv4 RFC 791 §3.1',
      'ICMP RFC 792',
    ])
    expect(await layers.filter({ hasText: 'Context ID' }).textContent()).to.include('0: a whole IP packet follows')
    // It is held: what passes does not take its place.
    const held = await page.locator('#layers').textContent()
    await page.locator('#c-throughput').filter({ hasText: 'bit/s' }).waitFor()
    await page.waitForTimeout(2_500)
    expect(await page.locator('#layers').textContent()).to.equal(held)
    await page.locator('#hold').click()
    await page.locator('#hold[aria-pressed="false"]').waitFor()
  })

  it('shows the capsules that were exchanged, also those before it was opened, and of one client when one is chosen', async () => {
    const server = await startProxy()
    const first = await joinTunnel(server)
    await open(server)
    const capsules = page.locator('#capsules tr')
    await capsules.filter({ hasText: 'ROUTE_ADVERTISEMENT' }).first().waitFor()
    const { assigned } = await first.connect()
    await capsules
      .filter({ hasText: '← ADDRESS_ASSIGN' })
      .filter({ hasText: String(assigned[0]) })
      .first()
      .waitFor()
    const { assigned: others } = await (await joinTunnel(server)).connect()
    const ofOther = capsules.filter({ hasText: String(others[0]) }).first()
    await ofOther.waitFor()
    await rows().nth(1).waitFor()
    await rows().first().getByRole('button').click()
    await ofOther.waitFor({ state: 'detached' })
    await capsules
      .filter({ hasText: String(assigned[0]) })
      .first()
      .waitFor()
  })

  it('says that its data is old when the proxy has gone, and goes on when it is back', async () => {
    const server = await startProxy()
    await joinTunnel(server)
    await open(server)
    await number('clients', /^1$/)
    const port = Number(new URL(server.apiUrl as string).port)
    await server.close()
    await page
      .getByRole('status')
      .filter({ hasText: /^Old data, since \d\d:\d\d:\d\d: / })
      .waitFor()
    expect(await page.locator('html').getAttribute('data-state')).to.equal('old')
    await startProxy({ api: { port } })
    await live()
    await number('clients', /^0$/)
  })

  it('shows forty clients, who keep their places while others come and go', async () => {
    const server = await startProxy()
    await open(server)
    // One after the other, which is the order of their places.
    const clients: Awaited<ReturnType<typeof joinTunnel>>[] = []
    while (clients.length < 40) clients.push(await joinTunnel(server))
    await number('clients', /^40$/)
    await page.locator('#topology .client').nth(39).waitFor()
    expect(await rows().count()).to.equal(40)
    // No function inside: what the loader of TypeScript makes of one is not known in the page.
    const places = (): Promise<string[]> =>
      page
        .locator('#topology .client')
        .evaluateAll(nodes =>
          (nodes as unknown as Node[]).map(node =>
            [
              node.querySelector('title')?.textContent.split(': from')[0],
              ...['cx', 'cy'].map(name => node.querySelector('circle')?.getAttribute(name)),
            ].join(),
          ),
        )
    const before = await places()
    expect(new Set(before).size).to.equal(40)
    // Some of those in the middle, and the last.
    for (const [leaving, stay] of [
      [clients.slice(3, 10), /^33$/],
      [clients.slice(30), /^23$/],
    ] as const) {
      await Promise.all(leaving.map(client => client.close()))
      await number('clients', stay)
      const after = await places()
      expect(after.filter(place => !before.includes(place))).to.deep.equal([])
    }
  })
})
