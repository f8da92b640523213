/**
 * Opens the terminal UI fast. Ink and React come as hundreds of small files, and looking each of them up takes longer
 * than a student waits for a first picture. So the UI and the labs' data are kept as one file, which esbuild joins in
 * less than half a second whenever one of the sources has changed. It is only a cache: nothing depends on it, and whatever
 * goes wrong with it, the sources are loaded in the ordinary way.
 *
 * Plain JavaScript, because it runs before TypeScript can be loaded. Checks and demonstrations run in another process
 * (worker.ts), from the sources.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ROOT = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))))
const VERSION = 2

/**
 * The module `open-ui.tsx` with the labs built in, or undefined when it cannot be had.
 * @param {{ root?: string, caches?: string[] }} [options] `caches`: folders to keep it in, the first that serves is used
 * @returns {Promise<{ openUi(argv: readonly string[]): Promise<number | undefined> } | undefined>}
 */
export async function bundledUi({ root = ROOT, caches = cacheFolders(root) } = {}) {
  try {
    const file = caches.map(folder => currentBundle(root, folder)).find(found => found !== undefined)
    return await import(pathToFileURL(file ?? (await build(root, caches))).href)
  } catch (error) {
    if (process.env.MASQUE_LAB_DEBUG) console.error(error)
    return undefined
  }
}

/** Beside the packages; where these belong to somebody else, as in a classroom, in the user's own cache. */
function cacheFolders(root) {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  const own = XDG_CACHE_HOME || (process.platform === 'win32' && LOCALAPPDATA) || join(homedir(), '.cache')
  return [join(root, 'node_modules', '.cache', 'masque-lab'), join(own, 'masque-lab')]
}

/** What a bundle depends on beside its own sources: which labs there are, which packages, where it all is. */
function surroundings(root) {
  return [VERSION, process.version, root, stamp(join(root, 'package-lock.json')), ...labFiles(root)].join('\n')
}

function labFiles(root) {
  return readdirSync(join(root, 'labs'))
    .filter(name => name.startsWith('lab-') && existsSync(join(root, 'labs', name, 'lab.ts')))
    .sort()
    .map(name => `labs/${name}/lab.ts`)
}

function stamp(path) {
  const { mtimeMs, size } = statSync(path, { throwIfNoEntry: false }) ?? {}
  return `${mtimeMs}:${size}`
}

function currentBundle(root, folder) {
  try {
    const note = JSON.parse(readFileSync(join(folder, 'ui.json'), 'utf8'))
    const file = join(folder, note.file)
    const current =
      note.surroundings === surroundings(root) &&
      Object.entries(note.sources).every(([path, old]) => stamp(join(root, path)) === old) &&
      existsSync(file)
    return current ? file : undefined
  } catch {
    return undefined
  }
}

async function build(root, caches) {
  const esbuild = await import('esbuild')
  const before = surroundings(root)
  const labs = labFiles(root)
  const result = await esbuild.build({
    stdin: {
      contents: [
        `import { openUi as open } from './labs/kit/cli/open-ui.tsx'`,
        ...labs.map((file, index) => `import { lab as lab${index} } from './${file}'`),
        `export const openUi = argv => open(argv, async () => [${labs.map((_, index) => `lab${index}`).join(', ')}])`,
      ].join('\n'),
      resolveDir: root,
      loader: 'js',
    },
    absWorkingDir: root,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"production"', 'process.env.DEV': '"false"' },
    // A long name: short ones are what the minifier gives to others, and it does not see this one.
    banner: {
      js: `import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);`,
    },
    plugins: [asWritten(root)],
    write: false,
    metafile: true,
    logLevel: 'silent',
  })
  const [{ contents }] = result.outputFiles
  const sources = Object.keys(result.metafile.inputs).filter(
    path => existsSync(join(root, path)) && !path.includes('node_modules'),
  )
  const file = `ui-${createHash('sha256').update(contents).digest('hex').slice(0, 16)}.mjs`
  const note = {
    file,
    surroundings: before,
    sources: Object.fromEntries(sources.map(path => [path, stamp(join(root, path))])),
  }
  let problem
  for (const folder of caches) {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      replace(join(folder, file), contents)
      replace(join(folder, 'ui.json'), JSON.stringify(note))
      for (const name of readdirSync(folder)) if (/^ui-.*\.mjs$/.test(name) && name !== file) rmSync(join(folder, name))
      return join(folder, file)
    } catch (error) {
      problem = error
    }
  }
  throw problem
}

/** Two terminals may do this at the same time; neither must read what the other has half written. */
function replace(path, contents) {
  const fresh = `${path}.${process.pid}.new`
  writeFileSync(fresh, contents, { mode: 0o600 })
  renameSync(fresh, path)
}

/** What a source may rely on in its own place: its URL; and that nothing is loaded but what the UI shows. */
function asWritten(root) {
  const ours = new RegExp(`^${root.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')}[\\\\/](labs|src)[\\\\/].*\\.tsx?$`)
  return {
    name: 'as-written',
    setup(build) {
      // Only used with React's development tools, and not installed.
      build.onResolve({ filter: /^react-devtools-core$/ }, ({ path }) => ({ path, namespace: 'nothing' }))
      build.onLoad({ filter: /.*/, namespace: 'nothing' }, () => ({ contents: 'export default {}' }))
      // A lab's checks and demonstration are loaded by the worker, and so are the engines of QUIC. A lab's panel is part of the UI.
      build.onResolve({ filter: /^\.\.?\// }, ({ path, kind, importer }) => {
        if (kind !== 'dynamic-import') return undefined
        const [top, lab] = relative(root, importer).split(sep)
        const isOfLab = top === 'labs' && lab !== 'kit' && !path.endsWith('.tsx')
        if (!isOfLab && !/[\\/]src[\\/]quic[\\/][^\\/]+$/.test(importer)) return undefined
        return { path: pathToFileURL(join(dirname(importer), path)).href, external: true }
      })
      build.onLoad({ filter: ours }, ({ path }) => ({
        contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', JSON.stringify(pathToFileURL(path).href)),
        loader: path.endsWith('x') ? 'tsx' : 'ts',
      }))
    },
  }
}

// `npm install` runs this file, so that the first lab opens fast too. It must never be what an installation fails by.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const caches = cacheFolders(ROOT)
  if (!caches.some(folder => currentBundle(ROOT, folder))) await build(ROOT, caches).catch(() => {})
}
