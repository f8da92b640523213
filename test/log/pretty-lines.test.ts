import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import fc from 'fast-check'
import { ComponentLogs } from '../../src/log/component-logs.ts'
import { LineWriter } from '../../src/log/line-writer.ts'
import { hasColours, isPretty } from '../../src/log/log-format.ts'
import { createLogger } from '../../src/log/logger.ts'
import { prettyLines } from '../../src/log/pretty-lines.ts'
import { columns } from '../../src/text/columns.ts'

/** A log that a terminal shows, and what it shows, without what follows the time of day in the first line of each entry. */
function shownLog(colours = false) {
  const shown: string[] = []
  const format = prettyLines({ colours })
  const log = createLogger({ level: 'trace', to: { write: line => void shown.push(format(line)) } })
  return { shown, logs: new ComponentLogs(log), log }
}

const TIME = /^\d\d:\d\d:\d\d\.\d{3} /
const withoutTime = (text: string): string => text.replace(TIME, '')
const COLOUR = /\x1b\[\d+m/g
/** What no text of a peer may put on a terminal. */
const COMMANDS = /[\p{C}\p{Zl}\p{Zp}]/u

describe('the log for people', () => {
  it('has time of day, level, component and message in columns, and then the fields', () => {
    const { shown, logs } = shownLog()
    logs.of('quic').info({ connection: '5e2f', remote: '127.0.0.1:4433' }, 'connected')
    logs.of('packets').debug({ ms: 85.67666299, source: 'a b', on: true, listen: { port: 1 } }, 'dropped')
    logs.of('tun').error({ addresses: ['10.89.0.2', 'fd00::1'], empty: '', none: [] }, 'gone')
    for (const text of shown) expect(text).to.match(TIME)
    expect(shown.map(withoutTime)).to.deep.equal([
      'INFO:  quic    connected  connection=5e2f remote=127.0.0.1:4433\n',
      'DEBUG: packets dropped  ms=85.677 source="a b" on=true listen={"port":1}\n',
      'ERROR: tun     gone  addresses=10.89.0.2,fd00::1 empty="" none=[]\n',
    ])
  })

  it('leaves out the connection where the tunnel’s name has it, so that more fits into 80 columns', () => {
    const { shown, logs } = shownLog()
    logs.of('tunnel').info({ connection: '5e2f', tunnel: '5e2f/0' }, 'tunnel open')
    expect(withoutTime(shown[0])).to.equal('INFO:  tunnel  tunnel open  tunnel=5e2f/0\n')
  })

  it('shows the stack of an error below its line, and what else the error has', () => {
    const { shown, logs } = shownLog()
    logs.of('proxy').error({ err: Object.assign(new Error('a bug'), { code: 'E' }) }, 'internal error')
    const [first, second, ...rest] = shown[0].trimEnd().split('\n')
    expect(withoutTime(first)).to.equal('ERROR: proxy   internal error')
    expect(second).to.equal('    Error: a bug')
    expect(rest[0]).to.match(/^ {8}at .*pretty-lines\.test\.ts/)
    expect(rest.at(-1)).to.equal('    {"code":"E"}')
  })

  it('shows what was no line of the log as it is', () => {
    const format = prettyLines({ colours: true })
    expect(format('not JSON\n')).to.equal('not JSON\n')
  })

  it('lets nobody command the terminal, or begin a line, by whatever comes over the network', () => {
    const texts = fc.string({
      unit: fc.constantFrom('\x1b', '[2J', '\x9b', '\n', '\r', '\x07', '\u202e', '\u2028', 'a', ' '),
    })
    const { shown, log } = shownLog()
    fc.assert(
      fc.property(texts, texts, (text, key) => {
        shown.length = 0
        const err = Object.assign(new Error(text), { [`k${key}`]: text })
        log.warn({ component: text, [`k${key}`]: text, list: [text], nested: { [key]: [text] }, err }, text)
        const [first, ...below] = shown.join('').trimEnd().split('\n')
        expect(first).to.match(TIME)
        for (const line of [first, ...below]) expect(line).to.not.match(COMMANDS)
        for (const line of below) expect(line).to.match(/^ {4}/)
      }),
    )
  })

  it('keeps secrets as the lines of JSON do', () => {
    const { shown, log } = shownLog()
    log.warn(
      { token: 'S3CRET', headers: { authorization: 'S3CRET' }, list: ['Bearer S3CRET'] },
      'Authorization: Bearer S3CRET',
    )
    expect(shown.join('')).to.include('token=[redacted]')
    expect(shown.join('')).to.not.include('S3CRET')
  })

  it('uses colours where it may, and says no less without them', () => {
    const plain = shownLog(false)
    const coloured = shownLog(true)
    for (const { logs } of [plain, coloured]) {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) {
        logs.of('http')[level]({ path: '\x1b[31m', err: { type: 'Error', message: 'm', stack: 'Error: m' } }, 'refused')
      }
    }
    expect(plain.shown.join('')).to.not.include('\x1b')
    for (const [i, text] of coloured.shown.entries()) {
      const colours = text.match(COLOUR) ?? []
      expect(colours).to.have.length.above(2)
      // Whatever follows has the terminal's own colours again.
      expect(text).to.match(/\x1b\[0m\n$/)
      expect(text.replace(COLOUR, '').replace(TIME, '')).to.equal(withoutTime(plain.shown[i]))
    }
  })

  it('fits a screen of 80 columns by its columns alone, so that the message is seen', () => {
    const { shown, logs } = shownLog()
    logs.of('webtransport').info('m')
    expect(columns(shown[0].trimEnd())).to.be.below(40)
  })

  it('is how the writer says that lines were lost, too', () => {
    let room = 0
    let text = ''
    const write = (_: number, bytes: Uint8Array): number => {
      if (room === 0) throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      text += Buffer.from(bytes).toString()
      return bytes.length
    }
    const writer = new LineWriter(2, write, prettyLines({ colours: false }))
    const log = createLogger({ level: 'info', to: writer })
    log.info('lost')
    room = 1
    log.info('here')
    expect(text.split('\n').map(withoutTime)).to.deep.equal([
      'WARN:          1 log line was lost: the disk was full  lost=1',
      'INFO:          here',
      '',
    ])
  })
})

describe('the form of the log', () => {
  it('is for people in a terminal, unless MASQUE_LOG_FORMAT says otherwise', () => {
    expect(isPretty(true, {})).to.equal(true)
    expect(isPretty(false, {})).to.equal(false)
    expect(isPretty(true, { MASQUE_LOG_FORMAT: 'json' })).to.equal(false)
    expect(isPretty(false, { MASQUE_LOG_FORMAT: 'pretty' })).to.equal(true)
    expect(isPretty(false, { MASQUE_LOG_FORMAT: 'auto' })).to.equal(false)
  })

  it('has colours in a terminal that has some, unless NO_COLOR or FORCE_COLOR says otherwise', () => {
    const xterm = { TERM: 'xterm-256color' }
    expect(hasColours(true, xterm)).to.equal(true)
    expect(hasColours(false, xterm)).to.equal(false)
    expect(hasColours(true, { TERM: 'dumb' })).to.equal(false)
    expect(hasColours(true, { ...xterm, NO_COLOR: '1' })).to.equal(false)
    expect(hasColours(true, { ...xterm, NO_COLOR: '' })).to.equal(true)
    expect(hasColours(false, { FORCE_COLOR: '1', NO_COLOR: '1' })).to.equal(true)
    expect(hasColours(true, { ...xterm, FORCE_COLOR: '0' })).to.equal(false)
  })

  it('is found out by the process itself: pretty in a terminal, JSON in a pipe', function () {
    const logger = new URL('../../src/log/logger.ts', import.meta.url).href
    const program = `const { createLogger } = await import(${JSON.stringify(logger)}); createLogger({ level: 'info' }).warn({ path: '\\x1b[2J' }, 'said'); process.exit(3)`
    const script = `exec ${[process.execPath, '--import=tsx', '--input-type=module', '-e', program].map(word => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}`
    const { MASQUE_LOG_FORMAT: _, FORCE_COLOR: __, NO_COLOR: ___, ...rest } = process.env
    const env = { ...rest, TERM: 'xterm' }
    const terminal = spawnSync('script', ['-qec', script, '/dev/null'], { encoding: 'utf8', env })
    // util-linux's, which macOS has another of.
    if (terminal.error !== undefined || process.platform !== 'linux') this.skip()
    expect(terminal.status, terminal.stdout).to.equal(3)
    expect(terminal.stdout).to.match(/\x1b\[33mWARN.* said .*path=\\u001b\[2J/)
    expect(terminal.stdout).to.not.include('\x1b[2J')
    const pipe = spawnSync('sh', ['-c', script], { encoding: 'utf8', env })
    expect(JSON.parse(pipe.stderr)).to.include({ level: 'warn', msg: 'said', path: '\x1b[2J' })
  })
})
