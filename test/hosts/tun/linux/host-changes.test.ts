/** The records of what was changed, in a folder of this test's own; the changes themselves are in killed.tun.ts. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { TunError } from '../../../../src/hosts/tun/errors.ts'
import { findLeftovers, HostChanges, undo } from '../../../../src/hosts/tun/linux/host-changes.ts'

describe('records of what was changed on this machine', () => {
  let parent: string
  let folder: string

  before(function () {
    if (process.platform === 'linux') return
    console.log('      skipped: these records are kept on Linux only')
    this.skip()
  })
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'records-'))
    folder = join(parent, 'run')
  })
  afterEach(() => rmSync(parent, { recursive: true, force: true }))

  /** Nobody's, or by now another's, who has not started when this one did. */
  const gone = (): number => spawnSync('true').pid
  /** A record of this process, with these differences, under a name of its own. */
  function leave(name: string, differences: object = {}): string {
    const changes = new HostChanges('mine0', 'router', folder)
    const [own] = readdirSync(folder).filter(file => file.startsWith(`${process.pid}-`))
    const record = JSON.parse(readFileSync(join(folder, own), 'utf8'))
    changes.undo()
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const file = join(folder, `${name}.json`)
    writeFileSync(file, JSON.stringify({ ...record, ...differences }))
    return file
  }
  /** What is found, by the files' names; sentences about other folders are none of ours. */
  function look(): { found: string[]; unclear: string[] } {
    const { found, unclear } = findLeftovers(folder)
    return { found: found.map(({ file }) => file), unclear: unclear.filter(sentence => sentence.includes(folder)) }
  }
  const noRecord = (file: string): string => `${file} is no record of masque-lab: look at it, and remove it`
  const setting = (key: string): object => ({ kind: 'setting', key, before: '0', after: '1' })

  it('are for their user alone, and nothing of them stays when all is undone', () => {
    const changes = new HostChanges('mine0', 'router', folder)
    const file = join(folder, `${process.pid}-mine0-router.json`)
    expect([folder, file].map(path => statSync(path).mode & 0o777)).to.deep.equal([0o700, 0o600])
    expect(changes.undo()).to.deep.equal([])
    expect(existsSync(folder)).to.equal(false)
  })

  it('are neither read nor written in a folder that others may write to, so that nobody tells root what to undo', () => {
    leave('1-mine0-router', { pid: gone() })
    for (const mode of [0o777, 0o720, 0o702]) {
      chmodSync(folder, mode)
      const why = `${folder} is not a folder that only this user may write to: have it removed`
      expect(() => findLeftovers(folder), mode.toString(8)).to.throw(TunError, why)
      expect(() => new HostChanges('mine0', 'router', folder), mode.toString(8)).to.throw(TunError, why)
    }
    chmodSync(folder, 0o700)
    expect(look().found).to.have.length(1)
  })

  it('are not read in a folder of another user, or where a symbolic link leads', () => {
    leave('1-mine0-router', { pid: gone() })
    symlinkSync(folder, join(parent, 'link'))
    expect(() => findLeftovers(join(parent, 'link'))).to.throw(TunError, 'is not a folder that only this user')
    // Only root can give it away; whoever else runs this has a folder of root's at hand.
    const isRoot = process.getuid?.() === 0
    if (isRoot) chownSync(folder, 65_534, 65_534)
    expect(() => findLeftovers(isRoot ? folder : '/usr')).to.throw(TunError, 'is not a folder that only this user')
  })

  it('name none but the settings that are changed here, and are no records otherwise', () => {
    const known = ['net/ipv4/ip_forward', 'net/ipv6/conf/all/forwarding', 'net/ipv6/conf/eth0/accept_ra']
    const others = [
      'kernel/core_pattern',
      'kernel/net/ipv4/ip_forward',
      'net/ipv4/ip_forward/../../../kernel/core_pattern',
      'net/ipv6/conf/a/b/accept_ra',
    ]
    const good = known.map((key, i) => leave(`${i}-good`, { pid: gone(), changes: [setting(key)] }))
    const bad = others.map((key, i) => leave(`${i}-bad`, { pid: gone(), changes: [setting(key)] }))
    const { found, unclear } = look()
    expect(found).to.have.members(good)
    expect(unclear).to.have.members(bad.map(noRecord))
  })

  it('are no records when they are too large, have too many changes, or are anything else', () => {
    const many = Array.from({ length: 10_001 }, () => setting('net/ipv4/ip_forward'))
    const file = { large: leave('large', { pid: gone() }), many: leave('many', { pid: gone(), changes: many }) }
    // JSON may end with any number of spaces.
    writeFileSync(file.large, `${readFileSync(file.large, 'utf8')}${' '.repeat(4 << 20)}`)
    const empty = leave('empty')
    truncateSync(empty)
    mkdirSync(join(folder, 'folder.json'))
    const { found, unclear } = look()
    expect(found).to.deep.equal([])
    const all = [file.large, file.many, empty, join(folder, 'folder.json')]
    expect(unclear).to.have.members(all.map(noRecord))
  })

  it('are left behind when their process is gone, also where another has its number by now', () => {
    leave('1-alive')
    const dead = leave('2-gone', { pid: gone() })
    const reused = leave('3-reused', { startTime: '1' })
    expect(look()).to.deep.equal({ found: [dead, reused], unclear: [] })
  })

  it('from before the last boot say nothing any more, and are removed', () => {
    const file = leave('1-before', { pid: gone(), boot: 'another' })
    expect(look()).to.deep.equal({ found: [], unclear: [] })
    expect(existsSync(file)).to.equal(false)
  })

  it('of other namespaces are for somebody in there', () => {
    const files = ['network', 'processes'].map(kind => leave(`1-${kind}`, { pid: gone(), [kind]: 'another' }))
    const { found, unclear } = look()
    expect(found).to.deep.equal([])
    const why = 'is about another namespace: run the command in there, or remove the file if that is gone'
    expect(unclear).to.have.members(files.map(file => `${file} ${why}`))
  })

  it('stay when something could not be undone, so that it can be tried again', () => {
    leave('1-mine0-router', { pid: gone(), changes: [{ kind: 'nft', table: 'masque_lab_mine0' }] })
    const [leftover] = findLeftovers(folder).found
    const path = process.env.PATH
    // Where there is no nft, there is nothing that could take its tables away.
    process.env.PATH = parent
    try {
      expect(undo(leftover)).to.have.length(1)
      expect(undo(leftover)[0]).to.match(/^nft cannot be started/)
    } finally {
      process.env.PATH = path
    }
    expect(findLeftovers(folder).found).to.deep.equal([leftover])
    expect(undo({ ...leftover, changes: [] })).to.deep.equal([])
    expect(existsSync(folder)).to.equal(false)
  })
})
