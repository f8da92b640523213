import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** As Debian and others call it. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** Where Chromium is; undefined where it is not installed. */
export function browserProgram(path: string | undefined = process.env.PATH): string | undefined {
  const folders = (path ?? '').split(delimiter)
  return NAMES.flatMap(name => folders.map(folder => join(folder, name))).find(file => existsSync(file))
}
