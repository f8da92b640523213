/** What the tests of the documentation read: the repository's own files. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A file of the repository, by its path from the root. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** All files below a folder whose name ends in one of `endings`, as paths from the root. */
export function filesBelow(folder: string, endings: readonly string[]): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && endings.some(ending => entry.name.endsWith(ending)))
    .map(entry => join(entry.parentPath, entry.name).slice(ROOT.length).replaceAll('\\', '/'))
    .filter(path => !path.includes('node_modules/'))
    .sort()
}

/** The relative links of a Markdown file that lead to no file. Links to other sites are not followed. */
export function brokenLinks(path: string): string[] {
  return linksOf(read(path)).filter(target => {
    const file = target.replace(/#.*$/, '')
    return file !== '' && !existsSync(resolve(ROOT, dirname(path), file))
  })
}

/** The targets of `[text](target)`, outside of code, without those on other sites. */
export function linksOf(markdown: string): string[] {
  const prose = markdown.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(match => match[1]).filter(target => !/^[a-z]+:/.test(target))
}
