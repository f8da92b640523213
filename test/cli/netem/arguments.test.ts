/** Every branch of the command lines of `npm run netem`, netem/apply.sh and netem/clear.sh is taken once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { type Command, CommanderError } from 'commander'
import { netemCommand } from '../../../src/cli/netem/command.ts'
import { kernelCommand, kernelExitStatus } from '../../../src/cli/netem/kernel-command.ts'
import { describeProfile } from '../../../src/cli/netem/show.ts'
import { explain } from '../../../src/cli/run-command.ts'
import { loadProfile, parseProfile, profileNames } from '../../../src/link/profile/load-profile.ts'
import { command as runCommand } from '../../support/command.ts'

interface Outcome {
  status: number
  said: string
  complained: string
}

/** A command line, in this process. */
type Print = (text: string) => void

async function outcome(command: (print: Print, tell: Print) => Command, ...args: string[]): Promise<Outcome> {
  const result = { status: 0, said: '', complained: '' }
  const program = command(
    text => {
      result.said += `${text}\n`
    },
    text => {
      result.complained += `${text}\n`
    },
  )
  for (const each of [program, ...program.commands]) {
    each.exitOverride().configureOutput({
      writeOut: text => {
        result.said += text
      },
      writeErr: text => {
        result.complained += text
      },
    })
  }
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    result.status = command === kernelCommand ? kernelExitStatus(error) : (error as CommanderError).exitCode || 1
    if (!(error instanceof CommanderError)) result.complained += explain(error)
  }
  return result
}

const apply = (...args: string[]) => outcome(kernelCommand, 'apply', ...args)
const netem = (...args: string[]) => outcome(netemCommand, ...args)

async function process(...args: string[]): Promise<Outcome> {
  const { status, stdout, stderr } = await runCommand(args)
  return { status: status ?? -1, said: stdout, complained: stderr }
}

/** One sentence and no stack. */
function expectSentence({ complained }: Outcome): void {
  expect(complained.trim()).to.match(/^[^\n]{10,}$/)
  expect(complained).not.to.match(/ {4}at |ReferenceError|TypeError/)
}

describe('netem/apply.sh', () => {
  for (const options of [[], ['--once'], ['--timeline'], ['--resolution', '1000']]) {
    it(`prints the commands of every shipped profile, ${options.join(' ') || 'without an option'}`, async () => {
      for (const name of profileNames()) {
        const { status, said, complained } = await apply(name, '--dry-run', ...options)
        expect(complained, name).to.equal('')
        expect(status, name).to.equal(0)
        expect(said, name).to.match(
          /ip netns exec \S+-router0 tc qdisc add dev masque-r0s root handle 1: netem limit 65536/,
        )
        expect(said, name).to.match(/tc qdisc add dev masque-r0c /)
      }
    })
  }

  it('prints a second of a trace in ten steps, and the mean rate with --once', async () => {
    const fine = await apply('lte-weak', '--dry-run')
    expect(fine.said).to.match(/^# 0 ms$/m)
    expect(fine.said).to.match(/^# \d+00 ms$/m)
    const once = await apply('lte-weak', '--dry-run', '--once')
    expect(once.said).to.match(/^# in place of a trace: its average rate$/m)
    expect(once.said).not.to.match(/ ms$/m)
  })

  it('says in a sentence what is wrong with the command line, with status 2', async () => {
    const wrong: string[][] = [
      ['apply'],
      ['apply', 'no-such', '--dry-run'],
      ['apply', 'no/such.toml', '--dry-run'],
      ['apply', 'lte', 'wifi', '--dry-run'],
      ['apply', 'lte', '--dry-run', '--resolution', '5'],
      ['apply', 'lte', '--dry-run', '--resolution', 'x'],
      ['apply', 'lte', '--dry-run', '--resolution'],
      ['apply', 'lte', '--dry-run', '--once', '--timeline'],
      ['apply', 'lte', '--no-such'],
      ['clear', 'x'],
      ['no-such'],
    ]
    for (const args of wrong) {
      const result = await outcome(kernelCommand, ...args)
      expect(result.status, args.join(' ')).to.equal(2)
      expectSentence(result)
    }
    expect((await outcome(kernelCommand, 'apply', '--help')).status).to.equal(0)
  })
})

describe('npm run netem, its command line', () => {
  it('lists and shows every shipped profile', async () => {
    const { said } = await netem('list')
    expect(said.trim().split('\n')).to.have.length(profileNames().length)
    const { said: json } = await netem('list', '--json')
    expect(JSON.parse(json).map(({ name }: { name: string }) => name)).to.deep.equal(profileNames())
    const { said: shown, status } = await netem('show', ...profileNames())
    expect(status).to.equal(0)
    for (const name of profileNames()) expect(shown).to.match(new RegExp(`^${name}: `, 'm'))
  })

  it('fits into 40 columns: every shipped profile, but for words that are longer', () => {
    for (const name of profileNames()) {
      for (const line of describeProfile(loadProfile(name), 40).split('\n')) {
        const longest = Math.max(
          ...line
            .trim()
            .split(' ')
            .map(word => word.length),
        )
        expect(line.length, `${name}: ${line}`).to.be.at.most(Math.max(40, longest + 14))
      }
    }
  })

  it('speaks ASCII, but for the names of people in a source', async () => {
    const { said } = await netem('list')
    const all = [said, kernelCommand().helpInformation(), netemCommand().helpInformation()]
    for (const name of profileNames()) {
      all.push(
        describeProfile({ ...loadProfile(name), source: '' }, 80),
        (await apply(name, '--dry-run', '--once')).said,
      )
    }
    for (const text of all) expect(text).to.match(/^[\x20-\x7e\n]*$/)
  })

  it('says in a sentence what is wrong with it, with status 1', async () => {
    const wrong: string[][] = [
      ['no-such'],
      ['list', 'x'],
      ['list', '--no-such'],
      ['show'],
      ['show', 'no-such'],
      ['show', 'lte', 'no/such.toml'],
      ['check', 'no-such'],
      ['check', 'lte', '--packets', '0'],
      ['check', 'lte', '--packets', 'x'],
      ['check', 'lte', '--seed'],
      ['run'],
      ['run', 'lte'],
      ['run', 'lte', 'wifi', '--to', '127.0.0.1:9'],
      ['run', 'lte', '--to', '127.0.0.1'],
      ['run', 'lte', '--to', '127.0.0.1:70000'],
      ['run', 'lte', '--to', '[::1:9'],
      ['run', 'lte', '--to', '127.0.0.1:9', '--listen', 'x'],
      ['run', 'lte', '--to', '127.0.0.1:9', '--second', 'x'],
      ['run', 'lte', '--to', '127.0.0.1:9', '--duration', '0'],
      ['run', 'lte', '--to', '127.0.0.1:9', '--duration', '-1'],
      ['run', 'lte', '--to', '127.0.0.1:9', '--backend', 'x'],
      ['run', 'lte', '--backend', 'kernel', '--seed', '2'],
      ['import', 'tc', 'qdisc', 'add', 'dev', 'eth0', 'root', 'netem', 'delay', '100'],
      ['import', 'hello'],
      ['import', 'tc', '--direction', 'left'],
      ['import', 'tc qdisc add dev eth0 root netem delay 9ms', '--out', '/no/such/folder/x.toml'],
      ['set', 'a', 'b'],
      ['set', '--rate'],
      ['set', '--direction', 'left'],
      ['set', '--attachment', 'third'],
      ['set', '--profile', 'lte', '--delay', '1ms'],
      ['set', '127.0.0.1:1', '--delay', '1ms'],
      ['convert', 'no-such.csv'],
      ['convert', '/dev'],
      ['convert', 'x.csv', 'y.csv'],
      ['convert', 'x.csv', '--time-unit', 'week'],
      ['convert', 'x.csv', '--rate-unit', 'mph'],
    ]
    for (const args of wrong) {
      const result = await netem(...args)
      expect(result.status, args.join(' ')).to.be.within(1, 7)
      expect(result.complained, args.join(' ')).to.match(/^[^\n]{10,}/)
      expect(result.complained).not.to.match(/ {4}at |ReferenceError|TypeError/)
    }
  })
})

describe('npm run netem, from other programs’ files', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-import-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  it('import prints a profile, or writes a file that loads, and replaces none unless it is told to', async () => {
    const line = 'tc qdisc add dev eth0 root netem delay 100ms 20ms loss 1%'
    const printed = await netem('import', ...line.split(' '))
    expect(printed.status).to.equal(0)
    expect(parseProfile(printed.said, { file: 'x.toml' }).up.delayMs).to.equal(100)
    const out = join(folder, 'mine.toml')
    expect((await netem('import', line, '-o', out, '--title', 'Mine', '--direction', 'up')).status).to.equal(0)
    expect(loadProfile(out)).to.deep.include({ title: 'Mine' })
    expect(loadProfile(out).down.delayMs).to.equal(0)
    const again = await netem('import', line, '-o', out)
    expect(again.status).to.equal(1)
    expect(again.complained).to.match(/there is such a file already; --force replaces it/)
    expect((await netem('import', line, '-o', out, '--force')).status).to.equal(0)
    expect(loadProfile(out).title).to.equal('Imported from tc')
  })

  it('convert makes a trace that a profile can follow', async () => {
    const list = join(folder, 'drive.csv')
    writeFileSync(list, 'ms;kbit/s\n0;1200\n500;2400\n')
    const out = join(folder, 'drive.trace')
    const units = ['--time-unit', 'ms', '--rate-unit', 'kbit']
    expect((await netem('convert', list, ...units, '-o', out)).status).to.equal(0)
    const profile = join(folder, 'drive.toml')
    writeFileSync(profile, 'title = "T"\nabout = "A"\nsource = "S"\n[both]\ntrace = "drive.trace"\n')
    const { trace } = loadProfile(profile).up
    expect(trace?.periodMs).to.equal(1000)
    expect(trace?.opportunitiesMs).to.have.length(50 + 100)
    const wrong = join(folder, 'wrong.csv')
    writeFileSync(wrong, '1,2\n0,1\n')
    const refused = await netem('convert', wrong)
    expect(refused.complained).to.match(/wrong\.csv: line 2: found the time 0 after 1/)
    expectSentence(refused)
  })
})

describe('the programs that read these command lines', () => {
  it('load, obey, and end with the status that was promised', async () => {
    const [dry, wrong, list, check] = await Promise.all([
      process('netem-kernel', 'apply', 'lte-weak', '--dry-run'),
      process('netem-kernel', 'apply', 'no-such'),
      process('netem', 'list'),
      process('netem', 'check', 'no-such'),
    ])
    expect(dry.complained).to.equal('')
    expect(dry.status).to.equal(0)
    expect(dry.said).to.match(/tbf rate \d+bit burst 1514b/)
    expect(wrong.status).to.equal(2)
    expectSentence(wrong)
    expect(list.status).to.equal(0)
    expect(check.status).to.equal(1)
    expectSentence(check)
  })
})
