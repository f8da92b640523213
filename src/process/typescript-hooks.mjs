/**
 * What Node asks for the text of a module: that of TypeScript is the file minus its types, which esbuild makes. It is kept under a name that is made
 * of all it depends on, so that the next start only reads it. Imports of ours are written as the file is called; so finding modules is left to Node.
 *
 * tsx does the same and more: it also finds files that are called otherwise. Asking for each of a proxy's 270 modules in many ways takes longer than
 * all the rest of a start. Students' own files are run with it.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolders } from './cache-folders.mjs'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDERS = cacheFolders(ROOT).map(folder => join(folder, 'typescript'))
const LINE_FEED = 10
const VERSION = `1 ${createRequire(import.meta.url)('esbuild/package.json').version}`

/** @type {import('node:module').LoadHook} */
export async function load(url, context, nextLoad) {
  const loader = /^file:.*\.(tsx?)$/.exec(url)?.[1]
  if (loader === undefined) return nextLoad(url, context)
  return { format: 'module', source: await javascript(readFileSync(new URL(url)), loader, url), shortCircuit: true }
}

/**
 * @param {Uint8Array} source
 * @param {string} loader
 * @param {string} url
 */
async function javascript(source, loader, url) {
  const name = basename(fileURLToPath(url))
  const key = createHash('sha256').update(`${VERSION} ${name}\n`).update(source).digest('hex')
  for (const folder of FOLDERS) {
    try {
      const code = readFileSync(join(folder, key))
      // A power cut may have left less than the line that it ends with.
      if (code.at(-1) === LINE_FEED) return code
    } catch {
      // Not kept there.
    }
  }
  const code = await translate(source, loader, url)
  for (const folder of FOLDERS) if (keep(folder, key, code)) break
  return code
}

/** Whether it could be kept. Another process may do the same at this moment: nobody must read the half of it. */
function keep(folder, key, code) {
  const fresh = join(folder, `${key}.${process.pid}`)
  try {
    mkdirSync(folder, { recursive: true })
    writeFileSync(fresh, code)
    renameSync(fresh, join(folder, key))
    return true
  } catch {
    try {
      rmSync(fresh)
    } catch {
      // It did not come to that.
    }
    return false
  }
}

async function translate(source, loader, url) {
  const { transform } = await import('esbuild')
  const { code } = await transform(source, {
    loader,
    format: 'esm',
    target: 'esnext',
    jsx: 'automatic',
    sourcemap: 'inline',
    sourcesContent: false,
    sourcefile: basename(fileURLToPath(url)),
    logLevel: 'silent',
  })
  return code
}
