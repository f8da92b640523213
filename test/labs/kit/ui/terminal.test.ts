import { spawnSync } from 'node:child_process'
import {
  cpSync,
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
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'
import { makeTestCertificates } from '../../../../src/cert/make-certificates.ts'

/** A terminal of its own: tmux runs without one, and tells what is on the screen. */
class Terminal {
  readonly #socket: string

  constructor(socket: string, command: string, folder: string, columns: number, rows: number) {
    this.#socket = socket
    this.#tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), '-c', folder, command)
  }

  #tmux(...args: string[]): string {
    const { status, stdout, stderr } = spawnSync('tmux', ['-S', this.#socket, '-f', '/dev/null', ...args], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm-256color' },
    })
    if (status !== 0) throw new Error(`tmux ${args[0]}: ${stderr}`)
    return stdout
  }

  screen(...options: string[]): string {
    return this.#tmux('capture-pane', '-p', ...options)
  }

  type(text: string): void {
    this.#tmux('send-keys', '-l', text)
  }

  /** `Enter`, `Escape`, `C-c`. */
  key(name: string): void {
    this.#tmux('send-keys', name)
  }

  resize(columns: number, rows: number): void {
    this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  async shows(what: string | RegExp): Promise<string> {
    const there = (screen: string) => (typeof what === 'string' ? screen.includes(what) : what.test(screen))
    let screen = ''
    for (let turn = 0; turn < 600; turn++) {
      screen = this.screen()
      if (there(screen)) return screen
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    throw new Error(`${what} does not appear. What is there:\n${screen}`)
  }

  close(): void {
    spawnSync('tmux', ['-S', this.#socket, 'kill-server'])
  }
}

describe('the terminal UI in a real terminal', () => {
  let place: string
  let root: string
  let terminal: Terminal | undefined
  let terminals = 0

  before(async function () {
    if (spawnSync('tmux', ['-V']).status !== 0) {
      console.log('      tmux is not installed: the terminal UI is not tried in a real terminal')
      this.skip()
    }
    place = mkdtempSync(join(tmpdir(), 'masque-terminal-'))
    // A repository of its own, so that the exercises of whoever runs this stay as they are.
    root = join(place, 'repository')
    mkdirSync(root)
    const skipped = [/\/exercises$/, /\/mutants$/]
    for (const name of ['bin', 'labs', 'src', 'solutions', 'package.json', 'tsconfig.json']) {
      cpSync(join(ROOT, name), join(root, name), {
        recursive: true,
        filter: path => !skipped.some(pattern => pattern.test(path)),
      })
    }
    symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'))
    mkdirSync(join(place, 'scratch'))
    await makeTestCertificates(join(root, 'cert', 'out'))
  })
  afterEach(() => {
    terminal?.close()
    terminal = undefined
  })
  after(() => {
    if (place) rmSync(place, { recursive: true, force: true })
  })

  const open = (
    args: string,
    columns = 80,
    rows = 24,
    more = '',
    locale = 'C.UTF-8',
    wrap = (command: string) => `${command}; echo "ended with $?"; sleep 600`,
  ) => {
    const env = [
      '-u CI -u NO_COLOR -u FORCE_COLOR -u LC_ALL -u LC_CTYPE',
      'MASQUE_LAB_QUEUE=off',
      `MASQUE_LAB_HOME=${join(place, 'state')}`,
      `MASQUE_LAB_SCRATCH=${join(place, 'scratch')}`,
      `XDG_CACHE_HOME=${join(place, 'cache')}`,
      `LANG=${locale}`,
      more,
    ].join(' ')
    const command = wrap(`env ${env} ${process.execPath} bin/masque-lab.mjs lab ${args}`)
    terminal = new Terminal(join(place, `tmux-${++terminals}`), command, root, columns, rows)
    return terminal
  }
  const answers = () => join(root, 'labs', 'lab-01-deploy', 'exercises', 'answers.toml')

  it('leads through a whole task: brief, hint, answers, a check that fails, a save that solves it', async () => {
    const ui = open('1 --task ping')
    await ui.shows('Every IP packet carries a number')
    for (const file of ['server.toml', 'client.toml']) {
      cpSync(join(ROOT, 'solutions', 'lab-01-deploy', file), join(root, 'labs', 'lab-01-deploy', 'exercises', file))
    }
    ui.type('h')
    await ui.shows('A tunnel has two ends')
    // All at once, as someone types who is in a hurry.
    ui.type('a63')
    ui.key('Enter')
    ui.type('63')
    ui.key('Enter')
    await ui.shows('Your answer: 63')
    // The third question is about the student's own run, which there is not yet.
    await ui.shows('leave it')
    ui.key('Escape')
    await ui.shows('c check')
    ui.type('wc')
    await ui.shows('✗ Not yet')
    await ui.shows('✗ tried')
    expect(readFileSync(answers(), 'utf8')).to.include('gateway = "63"')
    // The editor, in another window.
    cpSync(join(ROOT, 'solutions', 'lab-01-deploy', 'measured.toml'), join(answers(), '..', 'measured.toml'))
    cpSync(join(ROOT, 'solutions', 'lab-01-deploy', 'answers.toml'), answers())
    const solved = await ui.shows('✓ solved')
    expect(solved).to.include('CONNECT-IP tunnel').and.to.include('| proxy |')
    await ui.shows('✓ Solved')
    ui.type('q')
    await ui.shows('ended with 0')
    const progress = JSON.parse(readFileSync(join(place, 'state', 'progress.json'), 'utf8'))
    expect(progress.labs['lab-01-deploy'].ping).to.include({ state: 'solved', attempts: 1, hints: 1 })
    expect(readdirSync(join(place, 'scratch'))).to.deep.equal([])
  })

  it('follows the size of the window, and asks for room when there is too little', async () => {
    const ui = open('1 --task config', 120, 40)
    const wide = await ui.shows('server.toml')
    expect(wide).to.match(/^ ─{118}$/m)
    ui.resize(80, 24)
    // Header, rule, body, rule, keys: nothing is left of the larger picture below them.
    await ui.shows(/^ ─{78}$(.*\n){21} c check [^\n]*\s*$/m)
    ui.resize(40, 10)
    await ui.shows('Please make the window larger')
    ui.resize(100, 30)
    await ui.shows(/^ ─{98}$/m)
  })

  it('gives the terminal back on Ctrl-C, in the middle of a check', async () => {
    // Its check measures for ten seconds and more: it is not over before somebody has looked at the screen.
    cpSync(join(ROOT, 'solutions', 'lab-02-performance'), join(root, 'labs', 'lab-02-performance', 'exercises'), {
      recursive: true,
    })
    const ui = open('2 --task handshake')
    await ui.shows('c check')
    ui.type('c')
    await ui.shows('stop the check')
    ui.key('C-c')
    const screen = await ui.shows('ended with')
    expect(screen).to.not.include('Checking')
    expect(readdirSync(join(place, 'scratch'))).to.deep.equal([])
  })

  it('is suspended by Ctrl-Z with the terminal as it was, and drawn again by fg', async () => {
    const ui = open('1 --task ping', 80, 24, '', 'C.UTF-8', command => {
      writeFileSync(join(place, 'start.sh'), `PS1='prompt> '\nstart() { ${command}; }\n`)
      return `bash --rcfile ${join(place, 'start.sh')} -i`
    })
    await ui.shows('prompt>')
    ui.type('start')
    ui.key('Enter')
    // The end of the last line: half of a screen is not what comes back.
    const before = await ui.shows('q quit')
    ui.key('C-z')
    await ui.shows('Stopped')
    expect(ui.screen()).to.not.include('c check')
    // The shell reads lines again, and shows what is typed.
    ui.type('echo is $((6 * 7))')
    ui.key('Enter')
    await ui.shows('is 42')
    ui.type('fg')
    ui.key('Enter')
    expect(await ui.shows('q quit')).to.equal(before)
    ui.type('h')
    await ui.shows('A tunnel has two ends')
    ui.type('q')
    await ui.shows('prompt>')
  })

  it('draws in ASCII where the locale is not of UTF-8', async () => {
    for (const columns of [80, 120]) {
      const ui = open('1 --task ping', columns, 24, '', 'C')
      const screen = await ui.shows('c check')
      expect(screen).to.match(/^[\x00-\x7f]*$/)
      expect(screen).to.match(new RegExp(`^ -{${columns - 2}}$`, 'm'))
      ui.close()
    }
    terminal = undefined
  })

  it('draws without colours with NO_COLOR, and with them otherwise', async () => {
    const plain = open('1 --task ping', 80, 24, 'NO_COLOR=1')
    await plain.shows('c check')
    expect(plain.screen('-e')).to.not.match(/\u001B\[[0-9;]*3[0-7]m/)
    plain.close()
    terminal = undefined
    const coloured = open('1 --task ping')
    await coloured.shows('c check')
    expect(coloured.screen('-e')).to.match(/\u001B\[[0-9;]*36m/)
  })

  it('says why there is text where the window is too small for more', async () => {
    const ui = open('1 --task ping', 58, 17)
    const screen = await ui.shows('ended with 0')
    expect(screen.replace(/\s+/g, ' ')).to.include('this is text because the terminal has 58 columns and 17 rows')
    // No word of it is broken, nor of the commands above it.
    for (const line of screen.split('\n')) expect([...line.trimEnd()].length, line).to.be.at.most(57)
  })

  it('writes text from top to bottom where the terminal is dumb', async () => {
    const ui = open('1 --task ping', 80, 24, 'TERM=dumb')
    await ui.shows('ended with 0')
    expect(ui.screen()).to.include('Check:   npm run lab -- 1 --task ping --check')
    expect(existsSync(answers())).to.equal(true)
  })
})
