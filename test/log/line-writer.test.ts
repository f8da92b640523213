import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { LineWriter } from '../../src/log/line-writer.ts'
import { until } from '../support/loopback.ts'

/** A device of which the test says how many bytes it takes now, and what it answers when it takes no more. */
class Device {
  text = ''
  room = Number.POSITIVE_INFINITY
  code = 'ENOSPC'
  write = (_descriptor: number, bytes: Uint8Array): number => {
    const taken = Math.min(this.room, bytes.length)
    if (taken === 0 && bytes.length > 0) throw Object.assign(new Error(`${this.code}: no`), { code: this.code })
    this.text += Buffer.from(bytes.subarray(0, taken)).toString()
    this.room -= taken
    return taken
  }
  get lines(): string[] {
    return this.text.split('\n').slice(0, -1)
  }
}

describe('the writer of log lines', () => {
  it('AT-07 loses the lines that a full disk does not take, counts them, and says so when it takes lines again', () => {
    const device = new Device()
    const writer = new LineWriter(2, device.write)
    writer.write('first\n')
    device.room = 0
    for (let i = 0; i < 3; i++) writer.write('never seen\n')
    expect(writer.lost).to.equal(3)
    device.room = Number.POSITIVE_INFINITY
    writer.write('again\n')
    writer.write('and again\n')
    const [first, note, ...rest] = device.lines
    expect(first).to.equal('first')
    expect(JSON.parse(note)).to.include({ level: 'warn', lost: 3, msg: '3 log lines were lost: the disk was full' })
    expect(rest).to.deep.equal(['again', 'and again'])
    expect(writer.lost).to.equal(3)
  })

  it('AT-07 finishes a line that was written in part before any other, so that all lines are whole', () => {
    for (let room = 1; room < 40; room++) {
      const device = new Device()
      const writer = new LineWriter(2, device.write)
      device.room = room
      for (let i = 0; i < 8; i++) writer.write(`{"line":${i}}\n`)
      const lost = writer.lost
      device.room = Number.POSITIVE_INFINITY
      writer.write('{"line":"last"}\n')
      const lines = device.lines.map(line => JSON.parse(line))
      const notes = lines.filter(line => 'lost' in line)
      expect(lines.length - notes.length + lost, `room for ${room} bytes`).to.equal(9)
      expect(notes.reduce((sum, note) => sum + note.lost, 0)).to.equal(lost)
      expect(lines.at(-1)).to.deep.equal({ line: 'last' })
    }
  })

  it('AT-07 goes on when the note itself does not fit', () => {
    const device = new Device()
    const writer = new LineWriter(2, device.write)
    device.room = 0
    writer.write('lost\n')
    device.room = 10
    writer.write('lost, too\n')
    expect(writer.lost).to.equal(2)
    device.room = Number.POSITIVE_INFINITY
    writer.write('here\n')
    const lines = device.lines
    expect(lines.map(line => (line.startsWith('{') ? JSON.parse(line).lost : line))).to.deep.equal([1, 1, 'here'])
  })

  it('AT-11 says in words why lines were lost', () => {
    for (const [code, words] of [
      ['EAGAIN', 'whoever reads the log was not reading'],
      ['EPIPE', 'nobody reads the log'],
      ['EIO', 'EIO: no'],
    ]) {
      const device = new Device()
      const writer = new LineWriter(2, device.write)
      device.room = 0
      device.code = code
      writer.write('lost\n')
      device.room = Number.POSITIVE_INFINITY
      writer.write('here\n')
      expect(JSON.parse(device.lines[0]).msg).to.equal(`1 log line was lost: ${words}`)
    }
  })
})

/** A program that logs 5000 lines of 200 bytes to standard error, more than a pipe holds, and tells on standard output how it went. */
const PROGRAM = `
  const { createLogger } = await import(${JSON.stringify(new URL('../../src/log/logger.ts', import.meta.url).href)})
  const { standardErrorLines } = await import(${JSON.stringify(new URL('../../src/log/line-writer.ts', import.meta.url).href)})
  const log = createLogger({ level: 'info' })
  const burst = () => { for (let i = 0; i < 5000; i++) log.info({ i }, 'x'.repeat(140)) }
  burst()
  console.log(JSON.stringify({ lost: standardErrorLines().lost }))
  process.stdin.once('data', () => { log.info('the end'); process.exit() })
`
const ARGUMENTS = ['--import=tsx', '--input-type=module', '-e', PROGRAM]

describe('the log of a process', () => {
  it('AT-07 survives a full disk', function () {
    if (!existsSync('/dev/full')) this.skip()
    const { status, stdout } = spawnSync('bash', ['-c', 'exec "$0" "$@" 2>/dev/full', process.execPath, ...ARGUMENTS], {
      encoding: 'utf8',
      input: 'go\n',
    })
    expect(status).to.equal(0)
    expect(JSON.parse(stdout)).to.deep.equal({ lost: 5000 })
  })

  it('AT-09 survives a reader that has gone', () => {
    const script = '("$0" "$@" 2>&3 3>&-; echo "status $?") 3> >(exec head -c 1 >/dev/null)'
    const { stdout } = spawnSync('bash', ['-c', script, process.execPath, ...ARGUMENTS], {
      encoding: 'utf8',
      input: 'go\n',
    })
    expect(stdout).to.match(/^{"lost":[1-9][0-9]*}\nstatus 0\n$/)
  })

  for (const [kind, start] of [
    ['socket', () => spawn(process.execPath, ARGUMENTS, { stdio: 'pipe' })],
    [
      'pipe',
      () =>
        spawn('bash', ['-c', '"$0" "$@" 2>&1 >&3 | cat >&2', process.execPath, ...ARGUMENTS], {
          stdio: ['pipe', 'ignore', 'pipe', 'pipe'],
        }),
    ],
  ] as const) {
    it(`AT-11 does not wait for a reader that does not read (${kind})`, async () => {
      const child = start()
      try {
        const results = (kind === 'socket' ? child.stdout : child.stdio[3]) as NodeJS.ReadableStream
        // Standard error is not read until the program has said that it is through.
        const [told] = await once(results, 'data')
        const { lost } = JSON.parse(String(told))
        expect(lost).to.be.greaterThan(1000)
        let log = ''
        const closed = once(child, 'close')
        child.stderr!.setEncoding('utf8').on('data', text => {
          log += text
        })
        // It reads again, until the pipe has no more than what is left of a line that was written in part.
        const whole = () =>
          log
            .split('\n')
            .slice(0, -1)
            .filter(line => !line.includes('"lost":')).length
        await until(() => whole() >= 5000 - lost - 1)
        child.stdin!.end('go\n')
        await closed
        const lines = log
          .trim()
          .split('\n')
          .map(line => JSON.parse(line))
        expect(lines.at(-1).msg).to.equal('the end')
        const notes = lines.filter(line => line.lost !== undefined)
        expect(notes.reduce((sum, note) => sum + note.lost, 0)).to.equal(lost)
        expect(lines.length - notes.length).to.equal(5000 - lost + 1)
      } finally {
        child.kill('SIGKILL')
      }
    })
  }
})
