/**
 * The network namespaces of the kernel backend, for real where this machine allows them; what stands in the way of them, with
 * programs that say what a machine without the right or the module says.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { explainTc, KernelBackendError, KernelStatus } from '../../src/link/kernel/kernel-link.ts'
import { KERNEL_SERVER } from '../../src/link/kernel/kernel-topology.ts'

const folder = fileURLToPath(new URL('../../netem/', import.meta.url))
/** Of this test alone, so that nobody's own session is touched. */
const PREFIX = `masque-t${process.pid}`
const linux = process.platform === 'linux'

const scratch = mkdtempSync(join(tmpdir(), 'masque-topology-'))
after(() => rmSync(scratch, { recursive: true, force: true }))

function script(name: string, args: string[], env: Record<string, string> = {}) {
  const result = spawnSync('bash', [join(folder, name), ...args], {
    encoding: 'utf8',
    env: { ...process.env, MASQUE_NETEM_PREFIX: PREFIX, ...env },
  })
  return { status: result.status, output: result.stdout, errors: result.stderr }
}

/** Names of what this test's sessions left: namespaces of root's, and processes. */
function leftovers(): string[] {
  const namespaces = list('/run/netns').filter(name => name.startsWith(PREFIX))
  const processes = list('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(`${PREFIX}-netem-holder`)
    } catch {
      return false // it has ended
    }
  })
  return [...namespaces, ...processes]
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** A folder with programs that say something and fail, to be found before the real ones. */
function programs(name: string, what: Record<string, string>): string {
  const directory = join(scratch, name)
  mkdirSync(directory)
  for (const [program, body] of Object.entries(what)) {
    writeFileSync(join(directory, program), `#!/bin/sh\n${body}\n`)
    chmodSync(join(directory, program), 0o755)
  }
  return directory
}

const first = (directory: string): Record<string, string> => ({ PATH: `${directory}:${process.env['PATH']}` })

for (const mode of ['--rootless', '--root'] as const) {
  describe(`topology.sh ${mode}`, () => {
    before(function () {
      if (!linux) this.skip()
      const { status } = script('topology.sh', ['check', mode])
      // Without the module the namespaces are there all the same.
      if (status !== 0 && status !== KernelStatus.noModule) this.skip()
    })
    afterEach(() => void script('topology.sh', ['down']))

    it('makes a network in which datagrams reach the server and come back, and leaves nothing', async () => {
      const up = script('topology.sh', ['up', mode])
      expect(up.errors).to.equal('')
      expect(up.status).to.equal(0)
      expect(script('topology.sh', ['up', mode]).status, 'a second time').to.equal(KernelStatus.failed)

      const server = inside(
        'server',
        `socket.on('message', (m, from) => socket.send(from.address, from.port, from.address)).bind(7, '${KERNEL_SERVER.ipv4}', () => console.log('ready'))`,
      )
      await line(server)
      const client = inside(
        'client',
        `socket.on('message', m => { console.log(String(m)); process.exit() }).send('x', 7, '${KERNEL_SERVER.ipv4}')`,
      )
      // The client's own address, or the router's when there is NAT.
      expect(await line(client)).to.match(/^198\.18\.(10\.2|20\.1)$/)

      const status = script('topology.sh', ['status'])
      expect(status.status).to.equal(0)
      for (const name of ['client', 'router0', 'router1', 'server'])
        expect(status.output).to.contain(`${PREFIX}-${name}`)

      const down = script('topology.sh', ['down'])
      expect(down.status).to.equal(0)
      await ended(server)
      expect(leftovers()).to.deep.equal([])
      expect(script('topology.sh', ['status']).status).to.equal(KernelStatus.notUp)
    })

    it('what a killed `up` leaves is found and removed by `down`', async () => {
      const up = spawn('bash', [join(folder, 'topology.sh'), 'up', mode], {
        env: { ...process.env, MASQUE_NETEM_PREFIX: PREFIX },
        stdio: 'ignore',
      })
      while (leftovers().length === 0 && up.exitCode === null) await new Promise(resolve => setTimeout(resolve, 1))
      up.kill('SIGKILL')
      await ended(up)
      expect(leftovers()).not.to.deep.equal([])
      const down = script('topology.sh', ['down'])
      expect(down.output).to.contain('removed')
      expect(leftovers()).to.deep.equal([])
      expect(script('topology.sh', ['up', mode]).status, 'a new beginning').to.equal(0)
    })

    it('AT-17 of two `up` at once one makes the network, and the other says that it is there and leaves it alone', async () => {
      for (let round = 0; round < 2; round++) {
        // Once with a lock of `flock`, once where that command is missing.
        const env: Record<string, string> = round === 0 ? {} : { PATH: pathWithout('flock') }
        const both = await Promise.all([1, 2].map(() => finished('up', mode, env)))
        expect(both.map(({ status }) => status).sort(), both.map(({ errors }) => errors).join()).to.deep.equal([0, 1])
        const loser = both.find(({ status }) => status === 1)
        expect(loser?.errors).to.contain('namespaces of this name are there already').and.contain('topology.sh status')
        expect(script('topology.sh', ['status']).status, 'all of it is there').to.equal(0)
        expect(script('topology.sh', ['down'], env).status).to.equal(0)
        expect(leftovers()).to.deep.equal([])
      }
    })

    if (mode === '--root') return
    // It starts Node three times; and the way into the namespaces has been tried in both modes.
    it('apply.sh hands the profile to tc in the routers, and takes back what it set when tc fails', () => {
      const log = join(scratch, `tc${mode}.log`)
      // tc reads commands from its input; this one only writes them down.
      const recorder = programs(`recorder${mode}`, { tc: `cat >> '${log}'` })
      script('topology.sh', ['up', mode])
      const apply = script('apply.sh', ['lte', '--once'], first(recorder))
      expect(apply.errors).to.equal('')
      expect(apply.status).to.equal(0)
      const commands = readFileSync(log, 'utf8')
      for (const device of ['masque-r0s', 'masque-r0c']) {
        expect(commands).to.match(new RegExp(`^qdisc add dev ${device} root handle 1: netem limit`, 'm'))
      }
      const failing = programs(`failing${mode}`, {
        // With -force it takes away what may not be there.
        tc: `[ "$1" = -force ] && { cat >> '${log}'; exit; }\necho 'Error: something else.' >&2; exit 1`,
      })
      rmSync(log)
      const failed = script('apply.sh', ['lte', '--once'], first(failing))
      expect(failed.status).to.equal(KernelStatus.failed)
      expect(failed.errors).to.contain('something else')
      // Once before it begins, once when it gives up.
      expect(readFileSync(log, 'utf8').match(/qdisc del dev masque-r0s root/g)).to.have.length(2)
      const timeline = script('apply.sh', ['lte'], first(failing))
      expect(timeline.errors).to.contain('something else')
      expect(timeline.output).not.to.contain('the timeline runs')
    })
  })
}

/** Runs topology.sh beside this test. */
function finished(verb: string, mode: string, env: Record<string, string>) {
  return new Promise<{ status: number | null; errors: string }>(resolve => {
    const child = spawn('bash', [join(folder, 'topology.sh'), verb, mode], {
      env: { ...process.env, MASQUE_NETEM_PREFIX: PREFIX, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    child.once('close', status => resolve({ status, errors }))
  })
}

/** All commands of this machine but one, as a PATH of one folder. */
function pathWithout(command: string): string {
  const directory = join(scratch, `without-${command}`)
  if (existsSync(directory)) return directory
  mkdirSync(directory)
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    for (const name of list(folder)) {
      if (name !== command && !existsSync(join(directory, name))) symlinkSync(join(folder, name), join(directory, name))
    }
  }
  return directory
}

/** Node in one of the namespaces, with a `socket` to use. */
function inside(who: string, code: string): ChildProcess {
  const program = `const socket = require('node:dgram').createSocket('udp4'); ${code}`
  return spawn('bash', [join(folder, 'topology.sh'), 'exec', who, '--', process.execPath, '-e', program], {
    env: { ...process.env, MASQUE_NETEM_PREFIX: PREFIX },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function line(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.setEncoding('utf8').once('data', (text: string) => resolve(text.trim()))
    child.once('close', () => reject(new Error('it ended without a word')))
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise(resolve => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('close', () => resolve())
  })
}

describe('what stands in the way of the kernel backend', () => {
  before(function () {
    if (!linux) this.skip()
  })

  const denied = "echo 'unshare: unshare failed: Operation not permitted' >&2; exit 1"
  const check = (name: string, unshare: string, settings: Record<string, string> = {}, mode = '--rootless') => {
    const sysctl = join(scratch, `${name}-sysctl`)
    mkdirSync(sysctl)
    for (const [key, value] of Object.entries(settings)) {
      mkdirSync(dirname(join(sysctl, key)), { recursive: true })
      writeFileSync(join(sysctl, key), `${value}\n`)
    }
    // modinfo and tc may be missing here, or know more than the machine that is played.
    const path = programs(name, { unshare, tc: 'exit 0', ip: 'exit 0', modinfo: 'exit 1' })
    return script('topology.sh', ['check', mode], { ...first(path), MASQUE_NETEM_PROC_SYS: sysctl })
  }

  it('AppArmor’s rule on Ubuntu: says which, and what the administrator can do', () => {
    const { status, errors } = check('apparmor', denied, { 'kernel/apparmor_restrict_unprivileged_userns': '1' })
    expect(status).to.equal(KernelStatus.appArmor)
    expect(errors).to.contain('AppArmor').and.contain('sysctl kernel.apparmor_restrict_unprivileged_userns=0')
  })

  it('user namespaces for root only: a missing right', () => {
    const { status, errors } = check('clone', denied, { 'kernel/unprivileged_userns_clone': '0' })
    expect(status).to.equal(KernelStatus.noRight)
    expect(errors).to.contain('kernel.unprivileged_userns_clone')
  })

  it('user namespaces switched off: a missing right', () => {
    const { status, errors } = check('maximum', denied, { 'user/max_user_namespaces': '0' })
    expect(status).to.equal(KernelStatus.noRight)
    expect(errors).to.contain('user.max_user_namespaces')
  })

  it('anything else that forbids it is quoted', () => {
    const { status, errors } = check('other', denied)
    expect(status).to.equal(KernelStatus.noRight)
    expect(errors).to.contain('unshare failed: Operation not permitted').and.contain('emulator')
  })

  it('a kernel without netem: names the module and the packages that have it', () => {
    const { status, errors } = check(
      'module',
      "case $* in *bash*) echo 'missing sch_netem: Error: Specified qdisc kind is unknown.';; esac",
    )
    expect(status).to.equal(KernelStatus.noModule)
    expect(errors).to.contain('no sch_netem').and.contain('linux-modules-extra').and.contain('emulator')
  })

  it('nothing: says so', () => {
    const { status, output } = check('nothing', 'exit 0')
    expect(status).to.equal(0)
    expect(output).to.contain('can work here')
  })

  it('a command line that makes no sense ends with the usage', () => {
    expect(script('topology.sh', ['sideways']).status).to.equal(KernelStatus.usage)
    expect(script('topology.sh', ['exec', 'nobody', '--', 'true']).status).to.equal(KernelStatus.usage)
  })

  it('namespaces that are not up: apply.sh says what to do first', () => {
    const { status, errors } = script('apply.sh', ['lte'])
    expect(status).to.equal(KernelStatus.notUp)
    expect(errors).to.contain('topology.sh up')
  })

  it('a dry run needs none of it', () => {
    const { status, output } = script('apply.sh', ['lte', '--dry-run'])
    expect(status).to.equal(0)
    expect(output).to.contain(`ip netns exec ${PREFIX}-router0 tc qdisc add dev masque-r0s root handle 1: netem`)
  })
})

describe('what tc says', () => {
  it('a distribution without its table: names the package and the variable', () => {
    const error = explainTc('No distribution data for normal (/usr/lib/tc/normal.dist: No such file or directory)\n')
    expect(error).to.be.instanceOf(KernelBackendError)
    expect(error.status).to.equal(KernelStatus.noTool)
    expect(error.message).to.contain('iproute2').and.contain('TC_LIB_DIR')
  })

  it('a missing right, and anything else in its own words', () => {
    expect(explainTc('RTNETLINK answers: Operation not permitted').status).to.equal(KernelStatus.noRight)
    const other = explainTc('Error: Exclusivity flag on, cannot modify.\nCommand failed -:1')
    expect(other.status).to.equal(KernelStatus.failed)
    expect(other.message).to.contain('Exclusivity flag on')
  })
})
