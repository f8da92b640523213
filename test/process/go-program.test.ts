/** A Go program is compiled for real where Go is installed; what Go does not do at will is done by a script of its name. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { GoUnavailable, goProgram } from '../../src/process/go-program.ts'
import { isRunning } from '../../src/process/is-running.ts'
import { failure, until } from '../support/loopback.ts'

const run = promisify(execFile)

const MAIN = (text: string) => `package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("${text}") }\n`

describe('a Go program', () => {
  let folder: string
  let module: string
  let cache: string
  const { PATH } = process.env
  const stop = new AbortController()
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-test-go-'))
    module = join(folder, 'module')
    cache = join(folder, 'cache')
    mkdirSync(join(module, 'cmd', 'hello'), { recursive: true })
    writeFileSync(join(module, 'go.mod'), 'module hello\n\ngo 1.21\n')
    writeFileSync(join(module, 'cmd', 'hello', 'main.go'), MAIN('first'))
  })
  afterEach(() => {
    process.env.PATH = PATH
    rmSync(folder, { recursive: true, force: true })
  })

  const compiled = (options: Partial<Parameters<typeof goProgram>[1]> = {}) =>
    goProgram({ module, command: 'hello' }, { signal: stop.signal, timeoutMs: 100_000, folders: [cache], ...options })

  /** Stands where Go would be. */
  const pretend = (script: string) => {
    const bin = join(folder, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'go'), `#!/bin/sh\n${script}\n`)
    chmodSync(join(bin, 'go'), 0o755)
    process.env.PATH = `${bin}${delimiter}${PATH}`
  }

  it('is compiled once for each version of its source, and found again without Go', async function () {
    if (!(await run('go', ['version']).catch(() => undefined))) {
      console.log('      skipped: Go is not installed')
      this.skip()
    }
    const first = await compiled()
    expect((await run(first)).stdout).to.equal('first')
    process.env.PATH = folder
    expect(await compiled()).to.equal(first)
    process.env.PATH = PATH
    writeFileSync(join(module, 'cmd', 'hello', 'main.go'), MAIN('second'))
    const second = await compiled()
    expect((await run(second)).stdout).to.equal('second')
    expect(
      readdirSync(cache)
        .map(name => join(cache, name))
        .sort(),
    ).to.deep.equal([first, second].sort())
  })

  it('is not to be had where Go is not installed, and the reason says where it comes from', async () => {
    process.env.PATH = folder
    const { message } = await failure(compiled(), GoUnavailable)
    expect(message).to.match(/^Go is not installed \(1\.21 or newer, from https:\/\/go\.dev\/dl\)$/)
  })

  it('is not to be had where there is no folder for it', async () => {
    writeFileSync(cache, 'a file')
    const { message } = await failure(compiled(), GoUnavailable)
    expect(message).to.match(/^there is no place for what is compiled: .*; XDG_CACHE_HOME names/)
  })

  describe('with a script instead of Go', () => {
    before(function () {
      if (process.platform === 'win32') this.skip()
    })

    it('keeps three versions of a program', async () => {
      pretend('shift 3; echo "$1" > "$1"')
      for (const version of ['1', '2', '3', '4', '5']) {
        writeFileSync(join(module, 'cmd', 'hello', 'main.go'), version)
        expect(existsSync(await compiled())).to.equal(true)
      }
      expect(readdirSync(cache)).to.have.length(3)
    })

    it('says that the network is missing, or what the compiler said, and leaves no half of a file', async () => {
      pretend(`[ -e ${folder}/online ] || { echo 'main.go:24:2: x@v1: Get "https://p/x": dial tcp: lookup p: no such host'; exit 1; }
        shift 3; echo half > "$1"; echo '# hello'; echo './main.go:3:1: syntax error'; exit 1`)
      expect((await failure(compiled(), GoUnavailable)).message).to.match(
        /^the Go modules that it needs are not here and cannot be downloaded \(main\.go:24:2: .*no such host\); run this again with a network$/,
      )
      writeFileSync(join(folder, 'online'), '')
      expect((await failure(compiled(), GoUnavailable)).message).to.match(
        /^go build failed: \.\/main\.go:3:1: syntax error \(it needs Go 1\.21/,
      )
      expect(readdirSync(cache)).to.deep.equal([])
    })

    /** It writes down its own id and that of a child, and both wait for ever. */
    const endless = () => pretend(`sleep 1000 & echo "$$ $!" > ${folder}/pids; wait`)
    const pids = () => readFileSync(join(folder, 'pids'), 'utf8').trim().split(' ').map(Number)
    const started = () => until(() => existsSync(join(folder, 'pids')) && pids().length === 2 && pids()[1] > 1)

    it('is given up after a while, with all processes', async () => {
      endless()
      const { message } = await failure(compiled({ timeoutMs: 3000 }), GoUnavailable)
      expect(message).to.equal('it was not compiled within 3 s; run this again: it goes on where it was')
      if (existsSync(join(folder, 'pids'))) await until(() => !pids().some(isRunning))
    })

    it('is given up when nobody wants it any more, with all processes', async () => {
      endless()
      const own = new AbortController()
      const building = compiled({ signal: own.signal })
      building.catch(() => {})
      await started()
      own.abort(new Error('enough'))
      expect((await failure(building, Error)).message).to.equal('enough')
      await until(() => !pids().some(isRunning))
    })

    it('ends with the process that asked for it, though that is killed', async () => {
      endless()
      const asking = join(folder, 'asking.ts')
      const from = JSON.stringify(new URL('../../src/process/go-program.ts', import.meta.url).href)
      const given = JSON.stringify([
        { module, command: 'hello' },
        { timeoutMs: 100_000, folders: [cache] },
      ])
      writeFileSync(
        asking,
        `import { goProgram } from ${from}
        const [program, options] = ${given}
        void goProgram(program, { ...options, signal: new AbortController().signal })`,
      )
      const parent = spawn(process.execPath, ['--import', 'tsx', asking], { stdio: 'ignore' })
      await started()
      parent.kill('SIGKILL')
      await once(parent, 'exit')
      await until(() => !pids().some(isRunning))
    })
  })
})
