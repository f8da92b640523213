import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'

/** As Debian and others call it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** Where Chromium is; undefined where it is not installed. */
export function browserProgram(path: string | undefined = process.env.PATH): string | undefined {
  const folders = (path ?? '').split(delimiter)
  return NAMES.flatMap(name => folders.map(folder => join(folder, name))).find(file => existsSync(file))
}

/** Starts it without a window, and without what it does of itself in a network. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: browserProgram(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
    // Playwright turns QUIC off, which WebTransport needs.
    ignoreDefaultArgs: ['--disable-quic'],
  })
}
