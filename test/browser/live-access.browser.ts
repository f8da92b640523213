/** Who cannot see well, or has no mouse, uses the live view, too: judged by axe, and by keyboard alone. */
import { expect } from 'chai'
import type { Page } from 'playwright-core'
import type { MasqueServer } from '../../src/server/server.ts'
import { connectClient, keepPinging, startServer } from '../support/loopback.ts'
import { expectNoComplaints, LETS_AXE_IN } from './axe.ts'
import { type Pages, usePages } from './pages.ts'

describe('the live view without sight or mouse', () => {
  const pages = usePages()
  let server: MasqueServer
  let page: Page

  beforeEach(async () => {
    server = await startServer({ api: { enabled: true, port: 0, live: true }, webTransport: {} })
    const { client } = await connectClient(server)
    await connectClient(server)
    const train = keepPinging(client, '10.90.0.1')
    pages.closeLater(train.stop)
  })

  /** With all that there is to see: clients, a packet, capsules. */
  async function open(options: Parameters<Pages['open']>[0] = {}): Promise<void> {
    page = await pages.open({ viewport: { width: 1280, height: 800 }, ...options })
    await page.goto(server.liveUrl as string)
    await page.locator('#clients tbody tr').nth(1).waitFor()
    await page.locator('#layers table').first().waitFor()
    await page.locator('#capsules tr').first().waitFor()
  }

  const background = (): Promise<string> =>
    page.locator('html').evaluate(node => {
      const page = globalThis as unknown as { getComputedStyle(of: unknown): { backgroundColor: string } }
      return page.getComputedStyle(node).backgroundColor
    })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has nothing that axe would complain about, with ${colorScheme} colours`, async () => {
      await open({ colorScheme, ...LETS_AXE_IN })
      await page.locator('#clients button').first().click()
      await page.locator('#clients tr.chosen').waitFor()
      await expectNoComplaints(page)
    })
  }

  it('has the colours of the system, or those that are chosen, and keeps the choice', async () => {
    await open({ colorScheme: 'dark' })
    const dark = await background()
    await page.getByLabel('Colours').selectOption('light')
    expect(await background()).not.to.equal(dark)
    await page.reload()
    await page.locator('html[data-scheme="light"]').waitFor()
    await page.getByLabel('Colours').selectOption('dark')
    expect(await background()).to.equal(dark)
  })

  it('is used by keyboard alone: to the clients, one is chosen, and left again', async () => {
    await open()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.locator('#clients-title:focus').waitFor()
    const name = server.clients()[0].addresses[0]
    // The region of the table scrolls by keyboard, and so can have the focus itself.
    for (let i = 0; i < 2; i++) await page.keyboard.press('Tab')
    await page.locator('#clients button:focus').filter({ hasText: name }).waitFor()
    await page.keyboard.press('Enter')
    await page.locator('#charts-of').filter({ hasText: name }).waitFor()
    await page.locator('#clients button[aria-pressed="true"]:focus').waitFor()
    await page.keyboard.press('Space')
    await page.locator('#charts-of').filter({ hasText: 'all clients' }).waitFor()
  })
})
