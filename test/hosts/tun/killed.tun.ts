/** A program that is killed in the middle of setting up the system's network: at one step after the other, until it comes to the end of it. */
import { existsSync, readdirSync } from 'node:fs'
import { expect } from 'chai'
import { findLeftovers, undo } from '../../../src/hosts/tun/linux/host-changes.ts'
import { endPrograms, isMissing, ours, sh, startCommand, startScript, succeeds } from './network.ts'

const RECORDS = '/run/masque-lab'
/** More than there are. */
const MAX_STEPS = 60

/** All that a router changes, as a proxy does at its start. The process ends itself before the `step`th call that could change something. */
const router = (step: number): string => `
  import child from 'node:child_process'
  import fs from 'node:fs'
  import { syncBuiltinESMExports } from 'node:module'
  import { SystemNetwork } from '${ours('src/server/system-network.ts')}'
  import { IpAddress } from '${ours('src/ip/address.ts')}'
  import { IpPrefix } from '${ours('src/ip/prefix.ts')}'

  let step = 0
  const countCalls = (module, names) => {
    for (const name of names) {
      const original = module[name]
      module[name] = (...values) => {
        if (++step === ${step}) process.kill(process.pid, 'SIGKILL')
        return original(...values)
      }
    }
  }
  countCalls(fs, ['mkdirSync', 'fsyncSync', 'renameSync', 'writeFileSync'])
  countCalls(child, ['spawnSync'])
  syncBuiltinESMExports()

  const network = new SystemNetwork({
    name: 'tun0',
    mtu: 1400,
    nat: true,
    offload: false,
    addresses: ['10.89.0.1', 'fd00:89::1'].map(text => IpAddress.parse(text)),
    inside: ['10.89.0.0/24', 'fd00:89::/64'].map(text => IpPrefix.parse(text)),
    hidden: ['10.89.0.0/24', 'fd00:89::/64'].map(text => IpPrefix.parse(text)),
    onProblem: console.log,
  })
  console.log('all of it')
  process.kill(process.pid, 'SIGKILL')`

describe('a program that is killed while it sets up the network', function () {
  this.timeout(300_000)

  before(function () {
    isMissing('nft', this, 'nftables')
    // An interface with a router, so that accept_ra is changed, too.
    sh('ip link add other0 type veth peer name other1')
    sh('sysctl -q -w net.ipv6.conf.other0.accept_ra=1')
  })
  after(() => sh('ip link del other0'))
  afterEach(endPrograms)

  /** Addresses, routes, rules and settings. */
  const state = (): string =>
    [
      'ip -o addr',
      'ip route show table all',
      'ip -6 route show table all',
      'nft list ruleset',
      'sysctl -a --pattern forward|accept_ra$',
    ]
      .map(line => sh(line))
      .join('\n')

  it('leaves nothing that doctor does not undo, wherever it was', async () => {
    const before = state()
    let steps = 0
    let changed = 0
    for (let isWhole = false; !isWhole; ) {
      expect(++steps).to.be.below(MAX_STEPS)
      const program = startScript(router(steps))
      expect(await program.ended, program.output).to.equal(null)
      isWhole = program.output.includes('all of it')
      expect(succeeds('ip link show tun0'), `step ${steps}`).to.equal(false)
      if (state() !== before) changed++

      const { found, unclear } = findLeftovers()
      expect(unclear, `step ${steps}`).to.deep.equal([])
      for (const leftover of found) expect(undo(leftover), `step ${steps}`).to.deep.equal([])
      expect(state(), `step ${steps}`).to.equal(before)
      expect(existsSync(RECORDS) ? readdirSync(RECORDS) : [], `step ${steps}`).to.deep.equal([])
    }
    // It was killed before, between and after its changes.
    expect(steps).to.be.above(15)
    expect(changed).to.be.within(5, steps - 5)
  })

  it('keeps no other from setting it up anew, and doctor puts back what was there before the first', async () => {
    const before = state()
    for (let i = 0; i < 2; i++) {
      const program = startScript(router(0))
      expect(await program.ended).to.equal(null)
      expect(program.output).to.equal('all of it\n')
    }
    const doctor = startCommand(['doctor'])
    expect(await doctor.ended, doctor.output).to.equal(0)
    expect(state()).to.equal(before)
  })
})
