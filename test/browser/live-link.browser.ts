/** An emulated link in front of the proxy, shown and changed in the live view: by mouse-less people, too, and by nobody without the token. */
import { createRequire } from 'node:module'
import { expect } from 'chai'
import type { Locator, Page } from 'playwright-core'
import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { AttachedLink } from '../../src/server/attached-link.ts'
import { hashToken } from '../../src/server/auth.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { connectClient, keepPinging, startServer } from '../support/loopback.ts'
import { usePages } from './pages.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'

interface Axe {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}

describe('an emulated link in the live view', () => {
  const pages = usePages()
  let page: Page

  const startProxy = (): Promise<MasqueServer> =>
    startServer(
      { api: { enabled: true, port: 0, live: true, tokenSha256: hashToken(TOKEN) } },
      {
        link: {
          profile: loadProfile('clean'),
          start: options => LinkEmulator.start({ ...options, seed: '1' }),
        },
      },
    )

  const said = (text: RegExp): Promise<void> => page.locator('#link-said').filter({ hasText: text }).waitFor()
  /** What it does in one direction, as the table has it. */
  const value = (row: string, column: number): Locator =>
    page.locator('#link-values tr').filter({ hasText: row }).locator('td').nth(column)

  it('is changed by who came with the token, by keyboard: the emulator, the table and the charts follow', async () => {
    const server = await startProxy()
    const { client } = await connectClient({ address: (server.link as AttachedLink).address })
    const train = keepPinging(client, '10.90.0.1')
    pages.closeLater(train.stop)
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
    await page.goto(`${server.liveUrl}#token=${TOKEN}`)
    await page.locator('#link[data-profile="clean"]').waitFor()
    expect(page.url()).to.equal(server.liveUrl)
    await page.locator('#link-profile:has(option:checked[value="clean"])').waitFor()
    expect(await page.getByLabel('Token of the API').isVisible()).to.equal(false)

    await page.getByLabel('Delay, ms').focus()
    await page.keyboard.type('200')
    await page.keyboard.press('Enter')
    await said(/^Changed at \d\d:\d\d:\d\d\.$/)
    for (const column of [0, 1]) await value('Delay', column).filter({ hasText: '200 ms' }).waitFor()
    expect((server.link as AttachedLink).info().toClients.delayMs).to.equal(200)
    // QUIC's smoothed round trip goes there in steps; without the link it would be a millisecond.
    await page
      .locator('#n-rtt')
      .filter({ hasText: /^[2-9]\d\d(\.\d)?ms$/ })
      .waitFor()

    await page.getByLabel('Profile').selectOption('wifi')
    await page.getByRole('button', { name: 'Use it' }).click()
    await page.locator('#link[data-profile="wifi"]').waitFor()
    await page.locator('#link-note').filter({ hasText: 'Changed 2 times.' }).waitFor()
  })

  it('stays as it is without the token, and is changed when that is typed in', async () => {
    const server = await startProxy()
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
    await page.goto(server.liveUrl as string)
    await page.locator('#link[data-profile="clean"]').waitFor()
    const change = page.getByRole('button', { name: 'Change' })
    await page.getByLabel('Loss, %').fill('2.5')
    await change.click()
    await said(/^The token of the API is needed\.$/)
    await page.keyboard.type('another')
    await change.click()
    await said(/^Not changed: this is not the token of the API$/)
    expect((server.link as AttachedLink).info().changes).to.equal(0)
    await page.getByLabel('Token of the API').fill(TOKEN)
    await change.click()
    await value('Loss', 0).filter({ hasText: '2.50 %' }).waitFor()
    await page.getByLabel('Token of the API').waitFor({ state: 'hidden' })
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has nothing that axe would complain about, with ${colorScheme} colours`, async () => {
      const server = await startProxy()
      // axe comes into the page from outside, which the page's own policy forbids.
      page = await pages.open({ viewport: { width: 1280, height: 800 }, colorScheme, bypassCSP: true })
      await page.goto(server.liveUrl as string)
      await page.locator('#link[data-profile="clean"]').waitFor()
      await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') })
      const { violations } = await page.evaluate(() => (globalThis as unknown as Axe).axe.run())
      const told = violations.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`,
      )
      expect(told).to.deep.equal([])
    })
  }

  it('that is not there has no controls', async () => {
    const server = await startServer({ api: { enabled: true, port: 0, live: true } })
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
    await page.goto(server.liveUrl as string)
    await page.locator('#topology .host').filter({ hasText: 'echo' }).waitFor()
    expect(await page.getByRole('heading', { name: 'Link' }).count()).to.equal(0)
  })
})
