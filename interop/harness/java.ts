import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CaseProgram } from './case-program.ts'
import { lastWord, Unavailable } from './skip.ts'
import { cacheFolder, runTool } from './tool.ts'

const FETCH_TIMEOUT_MS = 180_000
const COMPILE_TIMEOUT_MS = 60_000

/** Our program uses its records and patterns. */
const OLDEST_JAVA = 17

/** The plugin's version is part of what is fetched, so it is part of what is pinned. */
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

function folder(peer: string): string {
  return fileURLToPath(new URL(`../${peer}/`, import.meta.url))
}

/**
 * Fetches what the peer's `pom.xml` names, unless it is there from an earlier run, and compiles the peer's program. Rejects
 * with `Unavailable` when Java, Maven or the registry is missing, and with what javac says when the program is wrong.
 */
export async function prepareJava(peer: string): Promise<void> {
  const { output } = await runTool('javac', ['-version'], { timeoutMs: 20_000 })
  const version = /javac (\d+)/.exec(output)?.[1]
  if (Number(version) < OLDEST_JAVA) {
    throw new Unavailable(`a JDK of version ${OLDEST_JAVA} or newer is needed, and this is ${lastWord(output)}`)
  }
  const libraries = join(cacheFolder(peer), 'lib')
  const pom = join(folder(peer), 'pom.xml')
  const done = join(cacheFolder(peer), 'fetched')
  const wanted = createHash('sha256').update(readFileSync(pom)).digest('hex')
  if (!existsSync(done) || readFileSync(done, 'utf8') !== wanted) {
    rmSync(libraries, { recursive: true, force: true })
    const maven = process.platform === 'win32' ? 'mvn.cmd' : 'mvn'
    const args = ['--batch-mode', '--quiet', '--file', pom, COPY_DEPENDENCIES, `-DoutputDirectory=${libraries}`]
    const fetched = await runTool(maven, args, { timeoutMs: FETCH_TIMEOUT_MS })
    if (fetched.status !== 0) throw new Unavailable(`Maven cannot fetch it: ${firstError(fetched.output)}`)
    writeFileSync(done, wanted)
  }
  const sources = join(folder(peer), 'src', 'peer')
  const files = readdirSync(sources).map(name => join(sources, name))
  // Whatever the locale is, the sources are UTF-8.
  const args = ['-encoding', 'UTF-8', '-d', join(cacheFolder(peer), 'classes'), '-cp', join(libraries, '*')]
  args.push('--release', `${OLDEST_JAVA}`)
  const compiled = await runTool('javac', [...args, ...files], { timeoutMs: COMPILE_TIMEOUT_MS })
  if (compiled.status !== 0) throw new Error(`javac:\n${compiled.output.trimEnd()}`)
}

/** The peer's program, the class `peer.Main`. */
export function javaProgram(peer: string): CaseProgram {
  const classes = join(cacheFolder(peer), 'classes')
  const libraries = join(cacheFolder(peer), 'lib', '*')
  return new CaseProgram({
    name: peer,
    command: 'java',
    args: [
      '-XX:+UseSerialGC',
      '-Djava.net.preferIPv4Stack=true',
      '-Dfile.encoding=UTF-8',
      '-Dstdout.encoding=UTF-8',
      '-cp',
      `${classes}${delimiter}${libraries}`,
      'peer.Main',
    ],
    cwd: folder(peer),
  })
}

/** Maven says what went wrong first, and then at length what to do about it. */
function firstError(output: string): string {
  return lastWord(/^\[ERROR\] .*$/m.exec(output)?.[0] ?? output)
}
