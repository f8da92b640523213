/** A program that is killed in the middle of setting up the system's network: at one step after the other, until it comes to the end of it. */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { findLeftovers, undo } from '../../../src/hosts/tun/linux/host-changes.ts'
import { until } from '../../support/loopback.ts'
import {
  endPrograms,
  isMissing,
  networkState,
  ours,
  type Program,
  sh,
  start,
  startCommand,
  startScript,
  succeeds,
} from './network.ts'

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

  it('leaves nothing that doctor does not undo, wherever it was', async () => {
    const before = networkState()
    let steps = 0
    let changed = 0
    for (let isWhole = false; !isWhole; ) {
      expect(++steps).to.be.below(MAX_STEPS)
      const program = startScript(router(steps))
      expect(await program.ended, program.output).to.equal(null)
      isWhole = program.output.includes('all of it')
      expect(succeeds('ip link show tun0'), `step ${steps}`).to.equal(false)
      if (networkState() !== before) changed++

      const { found, unclear } = findLeftovers()
      expect(unclear, `step ${steps}`).to.deep.equal([])
      for (const leftover of found) expect(undo(leftover), `step ${steps}`).to.deep.equal([])
      expect(networkState(), `step ${steps}`).to.equal(before)
      expect(existsSync(RECORDS) ? readdirSync(RECORDS) : [], `step ${steps}`).to.deep.equal([])
    }
    // It was killed before, between and after its changes.
    expect(steps).to.be.above(15)
    expect(changed).to.be.within(5, steps - 5)
  })

  it('keeps no other from setting it up anew, and doctor puts back what was there before the first', async () => {
    const before = networkState()
    for (let i = 0; i < 2; i++) {
      const program = startScript(router(0))
      expect(await program.ended).to.equal(null)
      expect(program.output).to.equal('all of it\n')
    }
    const doctor = startCommand(['doctor'])
    expect(await doctor.ended, doctor.output).to.equal(0)
    expect(networkState()).to.equal(before)
  })

  /** Of a proxy that runs, until it is told to end; `pool` is the second number of its addresses. */
  const running = (device: string, pool: number): string =>
    router(0)
      .replaceAll('10.89.', `10.${pool}.`)
      .replaceAll('fd00:89:', `fd00:${pool}:`)
      .replace("'tun0'", `'${device}'`)
      .replace(
        /process\.kill\(process\.pid, 'SIGKILL'\)$/,
        "process.once('SIGUSR2', () => network.close())\nconsole.log('listening')",
      )
  async function started(device: string, pool = 89): Promise<Program> {
    const program = startScript(running(device, pool))
    // Before that, the signal would end it at once.
    await until(() => program.output.includes('listening') || program.process.exitCode !== null)
    expect(program.output).to.equal('all of it\nlistening\n')
    return program
  }
  async function ended(program: Program, signal: 'SIGUSR2' | 'SIGKILL'): Promise<void> {
    program.process.kill(signal)
    expect(await program.ended, program.output).to.equal(signal === 'SIGKILL' ? null : 0)
  }

  for (const device of ['tun0', 'tun1']) {
    it(`is followed by a proxy with ${device}, which doctor leaves alone, and which puts back what was there before both`, async () => {
      const before = networkState()
      await ended(await started('tun0'), 'SIGKILL')
      const second = await started(device)
      const meanwhile = networkState()
      const doctor = startCommand(['doctor'])
      expect(await doctor.ended, doctor.output).to.equal(0)
      expect(networkState()).to.equal(meanwhile)
      expect(meanwhile).to.include(`table inet masque_lab_${device}`)
      await ended(second, 'SIGUSR2')
      expect(networkState()).to.equal(before)
    })
  }

  for (const last of ['first', 'second'] as const) {
    it(`is one of two that share this machine's settings, which are put back when the ${last} ends, the last of them`, async () => {
      const before = networkState()
      const proxies = { first: await started('tun0'), second: await started('tun1', 88) }
      const settings = () =>
        sh(
          'cat /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/other0/accept_ra',
        )
      await ended(proxies[last === 'first' ? 'second' : 'first'], 'SIGUSR2')
      expect(settings()).to.equal('1\n1\n2\n')
      await ended(proxies[last], 'SIGUSR2')
      expect(networkState()).to.equal(before)
    })
  }

  it('leaves a setting as somebody else has made it meanwhile', async () => {
    const program = await started('tun0')
    sh('sysctl -q -w net.ipv6.conf.other0.accept_ra=0')
    try {
      await ended(program, 'SIGUSR2')
      expect(sh('cat /proc/sys/net/ipv6/conf/other0/accept_ra')).to.equal('0\n')
      expect(sh('cat /proc/sys/net/ipv4/ip_forward')).to.equal('0\n')
    } finally {
      sh('sysctl -q -w net.ipv6.conf.other0.accept_ra=1')
    }
  })

  describe('where nft refuses', () => {
    let bin: string
    beforeEach(() => {
      bin = mkdtempSync(join(tmpdir(), 'refusing-'))
      // It is there, and takes nothing.
      writeFileSync(join(bin, 'nft'), '#!/bin/sh\n[ "$1" = --version ] || { echo "no memory" >&2; exit 1; }\n', {
        mode: 0o755,
      })
    })
    afterEach(() => rmSync(bin, { recursive: true }))

    it('keeps nothing of it, neither settings nor the device', async () => {
      const before = networkState()
      const code = router(0)
        .replace('const network =', `process.env.PATH = '${bin}:' + process.env.PATH\ntry {`)
        .replace("console.log('all of it')", "} catch (error) { console.log('refused:', error.message) }")
        .replace(/process\.kill\(process\.pid, 'SIGKILL'\)$/, "process.once('SIGUSR2', () => clearInterval(timer))")
      const program = startScript(`${code}\nconst timer = setInterval(() => {}, 1000)`)
      await until(() => program.output.includes('\n') || program.process.exitCode !== null)
      // Of the rules, and then of taking away what there is of them.
      expect(program.output).to.match(/^refused: nft has refused: no memory/)
      await until(() => !succeeds('ip link show tun0'))
      expect(program.process.exitCode).to.equal(null)
      expect(networkState()).to.equal(before)
      await ended(program, 'SIGUSR2')
    })

    it('has its record still after doctor has tried, and its rules when nft takes them away', async () => {
      const before = networkState()
      await ended(await started('tun0'), 'SIGKILL')
      const refused = start('env', [
        `PATH=${bin}:${process.env.PATH}`,
        process.execPath,
        'bin/masque-lab.mjs',
        'doctor',
      ])
      expect(await refused.ended, refused.output).to.equal(1)
      expect(refused.output).to.include('not undone: nft has refused: no memory')
      expect(findLeftovers().found).to.have.length(1)
      const doctor = startCommand(['doctor'])
      expect(await doctor.ended, doctor.output).to.equal(0)
      expect(networkState()).to.equal(before)
    })
  })

  it('takes nothing from another that runs, with a name that looks like its own', async () => {
    const before = networkState()
    const [first, second] = [await started('m-1'), await started('m.1', 88)]
    expect(sh('nft list tables')).to.include('masque_lab_m-1').and.include('masque_lab_m.1')
    await ended(first, 'SIGKILL')
    for (const leftover of findLeftovers().found) expect(undo(leftover)).to.deep.equal([])
    expect(sh('nft list tables')).to.not.include('masque_lab_m-1')
    expect(sh('nft list tables')).to.include('masque_lab_m.1')
    // The first has turned forwarding on, and changed accept_ra for it.
    expect(sh('cat /proc/sys/net/ipv6/conf/all/forwarding /proc/sys/net/ipv6/conf/other0/accept_ra')).to.equal('1\n2\n')
    await ended(second, 'SIGUSR2')
    expect(networkState()).to.equal(before)
  })

  it('leaves a machine that forwarded already without routes that it had refused', async () => {
    sh('sysctl -q -w net.ipv6.conf.all.forwarding=1')
    try {
      const program = await started('tun0')
      expect(sh('cat /proc/sys/net/ipv6/conf/other0/accept_ra')).to.equal('1\n')
      await ended(program, 'SIGUSR2')
    } finally {
      sh('sysctl -q -w net.ipv6.conf.all.forwarding=0')
    }
  })

  it('is undone on a machine with more interfaces than most, too', async () => {
    const names = Array.from({ length: 150 }, (_, i) => `many${i}`)
    for (const name of names) sh(`ip link add ${name} type veth peer name peer-${name}`)
    try {
      const before = networkState()
      await ended(await started('tun0'), 'SIGKILL')
      const { found, unclear } = findLeftovers()
      expect(unclear).to.deep.equal([])
      expect(found[0].changes).to.have.length.above(300)
      for (const leftover of found) expect(undo(leftover)).to.deep.equal([])
      expect(networkState()).to.equal(before)
    } finally {
      for (const name of names) sh(`ip link del ${name}`)
    }
  })
})
