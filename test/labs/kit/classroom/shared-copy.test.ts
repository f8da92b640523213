/** One copy of the repository that belongs to somebody else, as in a class on one machine: what another account can do with it. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'

const UID = 65011

describe('a copy of the labs that belongs to another account', () => {
  let place: string
  let home: string
  let copy: string
  before(function () {
    if (process.getuid?.() !== 0) {
      console.log('      (skipped: only root can start a process of another user)')
      this.skip()
    }
    place = mkdtempSync(join(tmpdir(), 'masque-shared-test-'))
    chmodSync(place, 0o755)
    home = join(place, 'home')
    mkdirSync(home)
    chownSync(home, UID, UID)
    const args = [join(ROOT, 'node_modules', 'tsx', 'package.json')]
    if (spawnSync('cat', args, { uid: UID, gid: UID }).status !== 0) {
      console.log(`      (skipped: others may not read ${ROOT})`)
      this.skip()
    }
    copy = join(place, 'masque-lab')
    mkdirSync(copy)
    // Whoever is root here may have begun the exercises.
    const asCloned = (path: string) => !/[\\/]exercises$/.test(path)
    for (const name of ['bin', 'labs', 'src', 'package.json', 'package-lock.json', 'tsconfig.json'])
      cpSync(join(ROOT, name), join(copy, name), { recursive: true, filter: asCloned })
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
    for (const name of readdirSync(copy, { recursive: true }) as string[]) {
      if (name !== 'node_modules' && !name.startsWith('node_modules/')) readable(join(copy, name))
    }
    readable(copy)
  })
  after(() => {
    if (place) rmSync(place, { recursive: true, force: true })
  })

  /** Whatever the umask is here. */
  function readable(path: string): void {
    chmodSync(path, statSync(path).isDirectory() ? 0o755 : 0o644)
  }

  function asOther(program: string, ...args: string[]) {
    const env = { PATH: process.env.PATH, HOME: home, TMPDIR: home, LANG: 'C.UTF-8', MASQUE_LAB_QUEUE: 'off' }
    const { status, stdout, stderr } = spawnSync('sh', ['-c', 'umask 077; exec "$@"', 'sh', program, ...args], {
      cwd: copy,
      env,
      uid: UID,
      gid: UID,
      encoding: 'utf8',
    })
    return { status, stdout, stderr }
  }

  it('can be read with, and says where to work instead of writing into it', () => {
    const lab = (...args: string[]) => asOther(process.execPath, 'bin/masque-lab.mjs', 'lab', ...args)
    expect(lab('3', '--list')).to.include({ status: 0, stderr: '' })
    const { status, stderr } = lab('3', '--task', 'varint', '--check')
    expect(status).to.equal(1)
    expect(stderr).to.include('clone the repository into a folder of your own')
    expect(readdirSync(join(copy, 'labs', 'lab-03-protocol'))).not.to.include('exercises')
  })

  it('has its one file of the terminal UI kept in the cache of the account, for nobody else to read', () => {
    const bundle = `
      import { bundledUi } from ${JSON.stringify(join(copy, 'labs/kit/cli/bundle.mjs'))}
      const caches = [${JSON.stringify(join(copy, 'cache'))}, process.env.HOME + '/.cache/masque-lab']
      process.exit((await bundledUi({ caches })) ? 0 : 1)`
    expect(asOther(process.execPath, '--input-type=module', '-e', bundle)).to.include({ status: 0, stderr: '' })
    const cache = join(home, '.cache', 'masque-lab')
    expect(statSync(cache).mode & 0o777).to.equal(0o700)
    for (const name of readdirSync(cache)) expect(statSync(join(cache, name)).mode & 0o077, name).to.equal(0)
  })
})
