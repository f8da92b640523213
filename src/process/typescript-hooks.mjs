/**
 * What Node asks for the text of a module: that of TypeScript is the file minus its types, which esbuild makes. It is kept under a name that is made
 * of all it depends on, so that the next start only reads it. Imports of ours are written as the file is called; so finding modules is left to Node.
 *
 * tsx does the same and more: it also finds files that are called otherwise. Asking for each of a proxy's 270 modules in many ways takes longer than
 * all the rest of a start. Students' own files are run with it.
 */
import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheFolders } from './cache-folders.mjs'

const require = createRequire(import.meta.url)
const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDERS = cacheFolders(ROOT).map(folder => join(folder, 'typescript'))
const LINE_FEED = 10
const VERSION = `1 ${require('esbuild/package.json').version}`

/**
 * In a thread of its own.
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, nextLoad) {
  const typescript = read(url)
  if (typescript === undefined) return nextLoad(url, context)
  const { source, options } = typescript
  return asModule(kept(typescript) ?? keep(typescript, await require('esbuild').transform(source, options)))
}

/** In the thread that loads. */
export function loadSync(url, context, nextLoad) {
  const typescript = read(url)
  if (typescript === undefined) return nextLoad(url, context)
  const { source, options } = typescript
  return asModule(kept(typescript) ?? keep(typescript, require('esbuild').transformSync(source, options)))
}

/** Undefined where it is something else. */
function read(url) {
  const loader = /^file:.*\.(tsx?)$/.exec(url)?.[1]
  if (loader === undefined) return undefined
  const source = readFileSync(new URL(url))
  const sourcefile = basename(fileURLToPath(url))
  return {
    source,
    key: createHash('sha256').update(`${VERSION} ${sourcefile}\n`).update(source).digest('hex'),
    options: {
      loader,
      format: 'esm',
      target: 'esnext',
      jsx: 'automatic',
      sourcemap: 'inline',
      sourcesContent: false,
      sourcefile,
      logLevel: 'silent',
    },
  }
}

function asModule(source) {
  return { format: 'module', source, shortCircuit: true }
}

/** What was made of it before. */
function kept({ key }) {
  for (const folder of FOLDERS) {
    try {
      const code = readFileSync(join(folder, key))
      // A power cut may have left less than the line that it ends with.
      if (code.at(-1) === LINE_FEED) return code
    } catch {
      // Not there.
    }
  }
  return undefined
}

/** In the first folder that takes it, if one does. Another process may do the same at this moment: nobody must read the half of it. */
function keep({ key }, { code }) {
  for (const folder of FOLDERS) {
    const fresh = join(folder, `${key}.${randomUUID()}`)
    try {
      mkdirSync(folder, { recursive: true })
      writeFileSync(fresh, code)
      renameSync(fresh, join(folder, key))
      break
    } catch {
      try {
        rmSync(fresh)
      } catch {
        // It did not come to that.
      }
    }
  }
  return code
}
