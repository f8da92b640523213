import { spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ClientError } from '../../src/client/errors.ts'
import { createLogger } from '../../src/log/logger.ts'
import { checkKeyLog, KeyLog, KeyLogError } from '../../src/quic/key-log.ts'
import { testCertificates } from '../support/certificates.ts'
import { closeLoopback, connectClient, failure, newClient, ping, startServer } from '../support/loopback.ts'

const FULL = '/dev/full'

describe('the key log', () => {
  let directory: string
  const usual = process.env.TMPDIR

  // They are for the whole test run, and must not go into a folder of this test's.
  before(() => testCertificates())

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-keys-'))
    process.env.TMPDIR = join(directory, 'tmp')
    mkdirSync(process.env.TMPDIR)
  })
  afterEach(async () => {
    await closeLoopback()
    if (usual === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = usual
    rmSync(directory, { recursive: true, force: true })
  })

  const privateFolders = (): string[] => readdirSync(tmpdir()).filter(name => name.startsWith('masque-keylog-'))

  it('AT-08 is off, with a warning, from when the disk is full; tunnels come up and go on', async function () {
    if (!existsSync(FULL)) this.skip()
    const log: string[] = []
    const logger = createLogger({ level: 'warn', to: { write: line => void log.push(JSON.parse(line).msg) } })
    const server = await startServer({ quic: { keyLog: FULL } }, { logger })
    for (let i = 0; i < 2; i++) {
      const { client } = await connectClient(server)
      await ping(client, '10.89.0.1')
    }
    expect(log).to.have.length(1)
    expect(log[0]).to.match(
      /^the key log is off from now on, and the tunnels go on: \/dev\/full cannot be written: ENOSPC/,
    )
    expect(privateFolders()).to.deep.equal([])
  })

  it('AT-08 of a client is off in the same way, and does not keep it from its tunnel', async function () {
    if (!existsSync(FULL)) this.skip()
    const server = await startServer()
    const log: string[] = []
    const logger = createLogger({ level: 'warn', to: { write: line => void log.push(JSON.parse(line).msg) } })
    const { client } = await connectClient(server, { quic: { keyLog: FULL } }, { logger })
    await ping(client, '10.89.0.1')
    expect(log).to.have.length(1)
    expect(log[0]).to.match(/the key log is off/)
  })

  it('AT-08 is off when its private folder cannot be made or is taken away', () => {
    const warnings: string[] = []
    const target = join(directory, 'keys.log')
    const log = new KeyLog(target, sentence => warnings.push(sentence))
    rmSync(tmpdir(), { recursive: true })
    log.attach('a', () => expect.fail('there is no file to give'))
    log.attach('b', () => expect.fail('off is off'))
    log.collect('a')
    log.close()
    expect(warnings).to.have.length(1)
    expect(warnings[0]).to.match(/ENOENT/)
  })

  it('AT-08 that cannot be used is named in one sentence when the program starts', async () => {
    const cases: [string, RegExp][] = [
      [directory, /: the key log cannot be written: this is a folder; a file is expected$/],
      [join(directory, 'none', 'keys.log'), /: its folder does not exist/],
      [join(directory, 'file', 'keys.log'), /: a file stands where a folder is expected/],
    ]
    writeFileSync(join(directory, 'file'), '')
    const pipe = join(directory, 'pipe')
    if (spawnSync('mkfifo', [pipe]).status === 0) cases.push([pipe, /: this is a named pipe or a socket/])
    const server = await startServer()
    for (const [keyLog, sentence] of cases) {
      expect(() => checkKeyLog(keyLog)).to.throw(KeyLogError, sentence)
      await failure(startServer({ quic: { keyLog } }), KeyLogError)
      const client = await newClient(server, { quic: { keyLog } })
      const error = await failure(client.connect(), ClientError)
      expect(error.message).to.match(sentence).and.not.include('\n')
      expect(error.retryable).to.equal(false)
    }
  })

  it('is readable by its owner only, and what was in it stays', () => {
    const target = join(directory, 'keys.log')
    checkKeyLog(target)
    if (process.platform !== 'win32') expect(statSync(target).mode & 0o777).to.equal(0o600)
    writeFileSync(target, 'CLIENT_RANDOM a b\n')
    checkKeyLog(target)
    expect(readFileSync(target, 'utf8')).to.equal('CLIENT_RANDOM a b\n')
  })

  describe('leaves no private folder behind', () => {
    /** A program that has opened a key log when it says so. */
    const program = (then: string): string => `
      const { KeyLog } = await import(${JSON.stringify(new URL('../../src/quic/key-log.ts', import.meta.url).href)})
      const { writeFileSync } = await import('node:fs')
      const log = new KeyLog(process.argv[1], console.error)
      log.attach('a', file => writeFileSync(file, 'secret'))
      ${then}`
    const run = (then: string) =>
      spawnSync(
        process.execPath,
        ['--import=tsx', '--input-type=module', '-e', program(then), join(directory, 'keys.log')],
        { encoding: 'utf8', env: { ...process.env, TMPDIR: tmpdir() } },
      )

    it('AT-21 when the process was killed: the next one sweeps it away', () => {
      const killed = run(`process.kill(process.pid, 'SIGKILL')`)
      expect(killed.signal, killed.stderr).to.equal('SIGKILL')
      expect(privateFolders()).to.have.length(1)
      new KeyLog(join(directory, 'keys.log'), () => {}).close()
      expect(privateFolders()).to.deep.equal([])
    })

    it('AT-21 and takes away none that is not its own or still in use', () => {
      const inUse = new KeyLog(join(directory, 'keys.log'), () => {})
      inUse.attach('a', file => writeFileSync(file, 'secret'))
      const [own] = privateFolders()
      const stale = own.replace(`-${process.pid}-`, '-2147483647-')
      const foreign = [
        own.replace(/^masque-keylog-(\d+)-/, 'masque-keylog-7$1-').replace(`-${process.pid}-`, '-2147483647-'),
        'masque-keylog-notes',
        stale.replace(/......$/, 'a-link'),
      ]
      mkdirSync(join(tmpdir(), stale))
      mkdirSync(join(tmpdir(), foreign[0]))
      writeFileSync(join(tmpdir(), foreign[1]), '')
      mkdirSync(join(directory, 'elsewhere'))
      symlinkSync(join(directory, 'elsewhere'), join(tmpdir(), foreign[2]))
      new KeyLog(join(directory, 'keys.log'), () => {}).close()
      expect(privateFolders().sort()).to.deep.equal([own, ...foreign].sort())
      inUse.close()
    })
  })
})
