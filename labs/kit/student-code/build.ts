/**
 * From the student's TypeScript to one script for the child process, with esbuild, here in the trusted parent.
 *
 * esbuild itself reads nothing: every file is read below, from the exercise folder only, and not through symbolic links.
 */
import { lstatSync, readFileSync, realpathSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { isAbsolute, join, normalize, posix, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as esbuild from 'esbuild'
import { SandboxError, StudentError } from './types.ts'

/** The compiler goes as deep as a file is nested, so this bounds what it takes. */
const MAX_FILE_BYTES = 128 * 1024
const MODULES = new Set(['assert', 'assert/strict', 'buffer', 'path', 'string_decoder', 'url', 'util'])

/** A file of the student, ready to run, and the way back from its lines to the student's. */
export interface BuiltFile {
  code: string
  /** Where a position in `code` comes from. */
  original(line: number, column: number): { file: string; line: number; column: number; source: string } | undefined
}

/**
 * Reads a file below `folder`. Throws `StudentError` for one that is not there, leads out of the folder, is no ordinary
 * file, or is too long.
 */
function readSubmitted(folder: string, file: string): string {
  const path = normalize(file)
  if (isAbsolute(path) || path.split(sep).includes('..') || file.includes('\0')) {
    throw new StudentError('missing-file', `${file} is not inside the exercise folder`, { file })
  }
  // Each step on the way is looked at itself, so that no link on it leads elsewhere.
  let at = realpathSync(folder)
  for (const part of path.split(sep)) {
    at = join(at, part)
    const info = lstatSync(at, { throwIfNoEntry: false })
    if (!info) throw new StudentError('missing-file', `there is no file ${file} among the exercises`, { file })
    if (info.isSymbolicLink()) {
      throw new StudentError('missing-file', `${file} is a symbolic link; a file of your own is expected`, { file })
    }
    if (at.length > 4000) throw new StudentError('missing-file', `${file.slice(0, 100)}… lies too deep`, { file })
  }
  const info = lstatSync(at)
  if (!info.isFile()) throw new StudentError('missing-file', `${file} is not an ordinary file`, { file })
  if (info.size > MAX_FILE_BYTES) {
    const found = `${file} has ${info.size} bytes; an exercise has at most ${MAX_FILE_BYTES}`
    throw new StudentError('compile', found, { file })
  }
  return readFileSync(at, 'utf8')
}

/**
 * `ours`: files of a check's own, by name, that lie beside the student's and may import them. Throws `StudentError` of the kinds
 * `missing-file` and `compile`; `SandboxError` when there is no compiler to ask.
 */
export async function buildStudentFile(
  folder: string,
  file: string,
  ours: ReadonlyMap<string, string> = new Map(),
): Promise<BuiltFile> {
  const sources = new Map<string, string>()
  const entry = posix.normalize(file.replaceAll('\\', '/'))
  sources.set(entry, ours.get(entry) ?? readSubmitted(folder, entry))
  const bundle = async (format: 'cjs' | 'esm') =>
    await esbuild.build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format,
      platform: 'node',
      target: 'node20',
      outfile: 'student.js',
      sourcemap: 'external',
      sourcesContent: false,
      keepNames: true,
      charset: 'utf8',
      logLevel: 'silent',
      legalComments: 'none',
      // A tsconfig.json among the student's files could name others.
      tsconfigRaw: '{ "compilerOptions": { "target": "es2022", "alwaysStrict": true } }',
      plugins: [submittedFiles(folder, sources)],
    })
  let result: Awaited<ReturnType<typeof bundle>>
  let awaits = false
  try {
    result = await bundle('cjs').catch(async error => {
      awaits = (error as Partial<esbuild.BuildFailure>).errors?.every(({ text }) => TOP_LEVEL_AWAIT.test(text)) ?? false
      if (!awaits) throw error
      return await bundle('esm')
    })
  } catch (error) {
    throw await compileError(error, entry, sources)
  }
  const [map, bundled] = ['.map', '.js'].map(end => result.outputFiles.find(output => output.path.endsWith(end))!.text)
  const code = awaits ? asynchronous(bundled!) : bundled
  const sourceMap = new SourceMap(JSON.parse(map!))
  return {
    code: code!,
    original(line, column) {
      if (!Number.isSafeInteger(line) || !Number.isSafeInteger(column) || line < 1 || column < 1) return undefined
      const found = sourceMap.findEntry(line - 1, column - 1)
      if (!('originalSource' in found)) return undefined
      const file = found.originalSource.replace(/^.*student:/, '')
      const source = sources.get(file)?.split('\n')[found.originalLine]
      if (source === undefined) return undefined
      return { file, line: found.originalLine + 1, column: found.originalColumn + 1, source }
    },
  }
}

const TOP_LEVEL_AWAIT = /^Top-level await /

/**
 * A module that awaits, as the body of an async function, which is what can be waited for. Its exports are one statement at its end. The
 * lines stay where they are.
 */
function asynchronous(module: string): string {
  const exported = /export \{([^}]*)\};\s*$/.exec(module)
  const names = (exported?.[1] ?? '').split(',').map(name => name.trim().split(' as '))
  const properties = names.filter(([own]) => own).map(([own, name = own]) => `${name}: ${own}`)
  const body = exported ? module.slice(0, exported.index) : module
  return `return (async () => { ${body}\nObject.assign(exports, { ${properties.join(', ')} }); })()`
}

/** Hands esbuild the student's own files, and nothing else that is on this machine. */
function submittedFiles(folder: string, sources: Map<string, string>): esbuild.Plugin {
  return {
    name: 'submitted-files',
    setup(build) {
      build.onResolve({ filter: /.*/ }, ({ path, importer, kind }) => {
        if (kind === 'entry-point') return { path, namespace: 'student' }
        if (path.startsWith('node:') || MODULES.has(path)) {
          if (MODULES.has(path.replace('node:', ''))) return { path: path.replace('node:', ''), namespace: 'node' }
          return {
            errors: [
              { text: `${path} cannot be imported by an exercise; of Node's modules, ${[...MODULES].join(', ')} can` },
            ],
          }
        }
        if (!path.startsWith('./') && !path.startsWith('../')) {
          return {
            errors: [
              {
                text: `'${path}' cannot be imported by an exercise: only its neighbours ('./name.ts') and 'node:' modules can`,
              },
            ],
          }
        }
        const target = posix.join(posix.dirname(importer), path)
        if (target.startsWith('..')) {
          return {
            errors: [{ text: `'${path}' lies outside the exercise folder; import only what you wrote yourself` }],
          }
        }
        // TypeScript knows './varint.ts' as './varint.js', too, and other tools as './varint'.
        const names = [target, target.replace(/\.m?js$/, '.ts'), `${target}.ts`]
        const there = names.find(name => lstatSync(join(folder, name), { throwIfNoEntry: false })?.isFile()) ?? target
        try {
          sources.set(there, readSubmitted(folder, there))
        } catch (error) {
          return { errors: [{ text: error instanceof Error ? error.message : String(error) }] }
        }
        return { path: there, namespace: 'student' }
      })
      // By the `require` of the process it runs in, in whatever form it is bundled.
      build.onLoad({ filter: /.*/, namespace: 'node' }, ({ path }) => ({
        contents: `module.exports = (0, require)(${JSON.stringify(path)})`,
        loader: 'js',
      }))
      build.onLoad({ filter: /.*/, namespace: 'student' }, ({ path }) => ({
        // A source map named by the student's file would be read from wherever it says.
        contents: (sources.get(path) ?? '').replaceAll('sourceMappingURL=', 'sourceMappingURL '),
        loader: path.endsWith('.js') || path.endsWith('.mjs') ? 'js' : 'ts',
      }))
    },
  }
}

async function compileError(
  error: unknown,
  entry: string,
  sources: Map<string, string>,
): Promise<StudentError | SandboxError> {
  const failure = error as Partial<esbuild.BuildFailure>
  // That it awaits is no mistake.
  const first = failure.errors?.find(({ text }) => !TOP_LEVEL_AWAIT.test(text)) ?? failure.errors?.[0]
  if (!first) {
    // The compiler itself gave up (its process has ended); the next file gets a new one.
    void esbuild.stop()
    const works = await esbuild.transform('1').then(
      () => true,
      () => false,
    )
    if (!works) return new SandboxError(`the compiler for student code does not work: ${firstLine(error)}`)
    return new StudentError('compile', `${entry} cannot be compiled: the compiler gave up on it`, { file: entry })
  }
  const file = first.location ? first.location.file.replace(/^student:/, '') : entry
  return new StudentError('compile', first.text, {
    file,
    ...(first.location && {
      line: first.location.line,
      column: first.location.column + 1,
      source: sources.get(file)?.split('\n')[first.location.line - 1] ?? first.location.lineText,
    }),
  })
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]
}

let host: Promise<string> | undefined

/** The script of the child process, bundled once. */
export function hostScript(): Promise<string> {
  host ??= esbuild
    .build({
      entryPoints: [fileURLToPath(new URL('./host.ts', import.meta.url))],
      bundle: true,
      write: false,
      // Nothing of it becomes a global.
      format: 'iife',
      platform: 'node',
      target: 'node20',
      minify: true,
      logLevel: 'silent',
    })
    .then(
      result => result.outputFiles[0].text,
      error => {
        throw new SandboxError(`the process for student code cannot be prepared: ${firstLine(error)}`)
      },
    )
  host.catch(() => {
    host = undefined
  })
  return host
}
