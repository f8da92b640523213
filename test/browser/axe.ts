/** What people with a keyboard or a screen reader could not use of a page, as axe judges it. */
import { createRequire } from 'node:module'
import { expect } from 'chai'
import type { Page } from 'playwright-core'

interface Axe {
  axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
}

/** axe comes into the page from outside, which most pages' own policy forbids: open it with this. */
export const LETS_AXE_IN = { bypassCSP: true } as const

export async function expectNoComplaints(page: Page): Promise<void> {
  await page.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') })
  const { violations } = await page.evaluate(() => (globalThis as unknown as Axe).axe.run())
  const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`)
  expect(told).to.deep.equal([])
}
