/** The classroom's page, as a projector shows it. */
import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { type ClassroomServer, startClassroom } from '../../labs/kit/classroom/server.ts'
import { loadLabs } from '../../labs/kit/lab/registry.ts'
import { expectNoComplaints, LETS_AXE_IN } from './axe.ts'
import { launchBrowser } from './browser-program.ts'

describe('the page of the classroom', () => {
  let browser: Browser
  let classroom: ClassroomServer
  let uid: number
  let page: Page

  before(async () => {
    browser = await launchBrowser()
  })
  after(() => browser?.close())
  beforeEach(async () => {
    classroom = await startClassroom({ labs: await loadLabs(), port: 0, leaderboard: true, whoIs: () => uid })
    for (uid = 1001; uid <= 1004; uid++) {
      for (let tried = 0; tried < 3; tried++) await report('failed', { misconception: 'A <b>Retry</b> is free.' })
    }
    await report('passed')
  })
  afterEach(async () => {
    await page.close()
    await classroom.close()
  })

  async function report(what: string, more: object = {}): Promise<void> {
    const told = { alias: `Student ${uid}`, lab: 'lab-02-performance', task: 'handshake', what, ...more }
    await tell('/reports', told, 204)
  }

  async function tell(path: string, body: object, status: number): Promise<void> {
    const headers = { 'Content-Type': 'application/json' }
    const response = await fetch(classroom.url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    expect(response.status).to.equal(status)
  }

  async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<void> {
    page = await browser.newPage({ viewport: { width: 1280, height: 800 }, ...options })
    page.setDefaultTimeout(60_000)
    await page.goto(classroom.url)
    await page.locator('#tasks tr').first().waitFor()
  }

  it('shows who is where and what several ran into, as text and with the numbers of tasks, and how it goes on', async () => {
    await open()
    const row = page.locator('#tasks tr')
    expect(await row.locator('th').textContent()).to.match(/^2\.1\s+Round trips/)
    expect(await row.locator('td').allTextContents()).to.deep.include.members(['5', '4', '1'])
    expect(await page.locator('#misconceptions li').allTextContents()).to.deep.equal([
      '4 in 2.1: A <b>Retry</b> is free.',
    ])
    expect(await page.locator('#leaders li').first().textContent()).to.equal('Student 1005: 1')
    uid = 1001
    await report('passed')
    await page.locator('#summary').filter({ hasText: 'by all together: 2.' }).waitFor()
    await classroom.close()
    await page.locator('#summary').filter({ hasText: 'The classroom does not answer' }).waitFor()
    expect(await row.count()).to.equal(1)
  })

  it('shows the tunnels of a relay measurement while it lasts, and nothing of them where there is none', async () => {
    await open()
    expect(await page.locator('#relay-section').isVisible()).to.equal(false)
    await page.close()
    await classroom.close()
    const relay = { offerTo: () => ({ port: 1, ca: '', token: '' }), liveUrl: undefined }
    classroom = await startClassroom({ labs: await loadLabs(), port: 0, relay, whoIs: () => uid })
    await report('passed')
    await tell('/relay', {}, 200)
    await open()
    await tell('/relay/reports', { medianMs: 1.25, slowestMs: 9, bitsPerSecond: 160_000 }, 204)
    const row = page.locator('#relay tr')
    await row.filter({ hasText: '160 kbit/s' }).waitFor()
    expect(await row.locator('th').textContent()).to.equal(`Student ${uid}`)
    expect((await row.locator('td').allTextContents()).slice(1, 3)).to.deep.equal(['9.0 ms', '160 kbit/s'])
    expect(await page.locator('#relay-summary').textContent()).to.match(/^Open: 1\. All together: 160 kbit\/s\./)
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has nothing that axe would complain about, with ${colorScheme} colours`, async () => {
      await open({ colorScheme, ...LETS_AXE_IN })
      await expectNoComplaints(page)
    })
  }
})
