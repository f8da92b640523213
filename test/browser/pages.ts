import { expect } from 'chai'
import type { Browser, Page } from 'playwright-core'
import { closeLoopback } from '../support/loopback.ts'
import { launchBrowser } from './browser-program.ts'

export interface Pages {
  /** Closed after the test, which fails if something went wrong in the page that nobody has caught. */
  open(options?: Parameters<Browser['newPage']>[0]): Promise<Page>
  /** After the test, when its pages are closed; before proxies and clients are. */
  closeLater(close: () => Promise<unknown>): void
}

/** For a `describe` of pages in a browser, whose proxies and clients are those of loopback.ts: what all its tests begin and end with. */
export function usePages(): Pages {
  let browser: Browser
  const pages: Page[] = []
  const closing: (() => Promise<unknown>)[] = []
  /** What went wrong in pages, and what their own security policy has kept them from. */
  const faults: string[] = []

  before(async () => {
    browser = await launchBrowser()
  })
  after(() => browser?.close())
  afterEach(async () => {
    for (const page of pages.splice(0)) await page.close()
    for (const close of closing.splice(0).reverse()) await close()
    await closeLoopback()
    expect(faults.splice(0)).to.deep.equal([])
  })

  return {
    async open(options) {
      const page = await browser.newPage(options)
      pages.push(page)
      page.setDefaultTimeout(60_000)
      page.on('pageerror', error => faults.push(error.message))
      page.on('console', message => {
        if (/Content Security Policy/.test(message.text())) faults.push(message.text())
      })
      return page
    },
    closeLater(close) {
      closing.push(close)
    },
  }
}
