import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadClientConfig } from '../../src/client/config.ts'
import { readToken } from '../../src/client/token.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { readRegularFile, UnsuitableFileError } from '../../src/config/read-file.ts'
import { loadClientTlsConfig, loadTlsConfig, TlsConfigError } from '../../src/config/tls-config.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { loadServerConfig } from '../../src/server/config.ts'

const HEAD = 'title = "T"\nabout = "A"\nsource = "S"\n'

describe('files that somebody names', () => {
  let folder: string
  /** No regular files, by their kinds; each named .toml, so that all readers look at it. */
  const places: Record<string, string> = {}

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-files-'))
    places['a directory'] = join(folder, 'directory.toml')
    mkdirSync(places['a directory'])
    // Sparse: it takes no room.
    const large = join(folder, 'large.toml')
    writeFileSync(large, '')
    truncateSync(large, 10e9)
    places['10000000000 bytes'] = large
    if (process.platform === 'win32') return
    const pipe = join(folder, 'pipe.toml')
    if (spawnSync('mkfifo', ['-m', '600', pipe]).status === 0) places['a pipe (FIFO)'] = pipe
    places['a device'] = '/dev/zero'
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const readers: Record<string, { read(file: string): unknown; error: abstract new (...args: never[]) => Error }> = {
    'a configuration of the server': { read: loadServerConfig, error: ConfigError },
    'a configuration of the client': { read: loadClientConfig, error: ConfigError },
    'a certificate of the server': {
      read: file => loadTlsConfig({ certificate: file, key: file }),
      error: TlsConfigError,
    },
    'a CA of the client': { read: file => loadClientTlsConfig({ ca: file }), error: TlsConfigError },
    'a trace of a profile': {
      read: file => {
        const profile = join(folder, 'profile.toml')
        writeFileSync(profile, `${HEAD}[both]\ntrace = ${JSON.stringify(file)}\n`)
        return loadProfile(profile)
      },
      error: ConfigError,
    },
    // `/dev/zero` is no name of a profile, and others may read it, which is said of a token file first.
    'a profile': {
      read: file => loadProfile(file.endsWith('.toml') ? file : join(folder, 'directory.toml')),
      error: ConfigError,
    },
    'a token': {
      read: file => readToken({ tokenFile: file.endsWith('.toml') ? file : join(folder, 'large.toml') }),
      error: ConfigError,
    },
  }

  for (const [name, { read, error }] of Object.entries(readers)) {
    it(`${name} that is no regular file, or far too large, is refused in one sentence and at once`, () => {
      for (const [what, file] of Object.entries(places)) {
        expect(() => read(file), `${name}: ${what}`)
          .to.throw(error)
          .with.property('message')
          .that.matches(/^[^\n]+$/)
      }
    })
  }

  it('the sentence says what it is and what is expected', () => {
    for (const [what, file] of Object.entries(places)) {
      expect(() => loadServerConfig(file)).to.throw(ConfigError, what)
      expect(() => loadServerConfig(file)).to.throw(ConfigError, 'a configuration file is expected')
    }
  })

  it('what is a regular file is read whole, also where the system says that it is empty', () => {
    const file = join(folder, 'text')
    const text = 'x'.repeat(10_000)
    writeFileSync(file, text)
    expect(readRegularFile(file, 10_000).toString()).to.equal(text)
    expect(() => readRegularFile(file, 9999)).to.throw(
      UnsuitableFileError,
      'this has 10000 bytes, at most 9999 are read',
    )
    if (process.platform === 'linux') expect(readRegularFile('/proc/self/status').toString()).to.match(/^Name:/)
  })
})

describe('the path of a trace', () => {
  it('starts at the profile’s folder, unless it is absolute', () => {
    const folder = mkdtempSync(join(tmpdir(), 'masque-trace-'))
    try {
      mkdirSync(join(folder, 'profiles'))
      mkdirSync(join(folder, 'traces'))
      writeFileSync(join(folder, 'traces', 'x.trace'), '5\n10\n')
      const profile = join(folder, 'profiles', 'mine.toml')
      for (const path of ['../traces/x.trace', join(folder, 'traces', 'x.trace')]) {
        writeFileSync(profile, `${HEAD}[both]\ntrace = ${JSON.stringify(path)}\n`)
        expect(loadProfile(profile).up.trace?.periodMs).to.equal(10)
      }
      writeFileSync(profile, `${HEAD}[both]\ntrace = "no.trace"\n`)
      expect(() => loadProfile(profile)).to.throw(
        ConfigError,
        /both\.trace: found "no\.trace", expected a trace file: .*there is no such trace file/,
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
