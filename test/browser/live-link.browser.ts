/** An emulated link in front of the proxy, shown and changed in the live view: by mouse-less people, too, and by nobody without the token. */
import { expect } from 'chai'
import type { Locator, Page } from 'playwright-core'
import { LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { AttachedLink } from '../../src/server/attached-link.ts'
import { hashToken } from '../../src/server/auth.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { connectClient, keepPinging, startServer } from '../support/loopback.ts'
import { expectNoComplaints, LETS_AXE_IN } from './axe.ts'
import { usePages } from './pages.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'

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

  it('takes several values at once, the least rate for one that is less, and no empty form', async () => {
    const server = await startProxy()
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
    await page.goto(`${server.liveUrl}#token=${TOKEN}`)
    await page.locator('#link[data-profile="clean"]').waitFor()
    const change = page.getByRole('button', { name: 'Change' })
    await change.click()
    await said(/^Not changed: no value is given\.$/)
    await page.getByLabel('Delay, ms').fill('50')
    await page.getByLabel('Jitter, ms').fill('5')
    await page.getByLabel('Rate, Mbit/s').fill('0.0001')
    await change.click()
    await value('Jitter', 1).filter({ hasText: '5 ms' }).waitFor()
    expect((server.link as AttachedLink).info().toClients).to.include({ delayMs: 50, jitterMs: 5, rateKbit: 1 })
    await page.locator('#link-note').filter({ hasText: 'Changed once.' }).waitFor()
  })

  it('takes the token of an address that is opened where the page is shown already, and leaves it out of the address', async () => {
    const server = await startProxy()
    page = await pages.open({ viewport: { width: 1280, height: 800 } })
    await page.goto(`${server.liveUrl}#token=another`)
    await page.locator('#link[data-profile="clean"]').waitFor()
    await page.goto(`${server.liveUrl}#token=${TOKEN}`)
    await page.waitForURL(server.liveUrl as string)
    await page.getByLabel('Delay, ms').fill('1')
    await page.getByRole('button', { name: 'Change' }).click()
    await said(/^Changed at /)
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
      page = await pages.open({ viewport: { width: 1280, height: 800 }, colorScheme, ...LETS_AXE_IN })
      await page.goto(server.liveUrl as string)
      await page.locator('#link[data-profile="clean"]').waitFor()
      await expectNoComplaints(page)
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
