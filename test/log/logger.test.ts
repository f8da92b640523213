import { spawnSync } from 'node:child_process'
import { expect } from 'chai'
import type { LogLevel } from '../../src/config/log-section.ts'
import { createLogger } from '../../src/log/logger.ts'

function logTo(level: LogLevel = 'info') {
  const lines: string[] = []
  return { lines, log: createLogger({ level, to: { write: line => void lines.push(line) } }) }
}

describe('the log', () => {
  it('is one JSON object a line, with time, level name and message', () => {
    const { lines, log } = logTo()
    log.info({ client: 'a' }, 'connected')
    log.child({ connection: 7 }).warn('slow')
    const [first, second] = lines.map(line => JSON.parse(line))
    expect(first).to.include({ level: 'info', client: 'a', msg: 'connected' })
    expect(new Date(first.time).toISOString()).to.equal(first.time)
    expect(second).to.include({ level: 'warn', connection: 7 })
    expect(lines.every(line => line.endsWith('\n'))).to.equal(true)
  })

  it('leaves out what is below its level', () => {
    const { lines, log } = logTo('warn')
    log.info('no')
    log.error('yes')
    expect(lines).to.have.length(1)
    const silent = logTo('silent')
    silent.log.fatal('no')
    expect(silent.lines).to.deep.equal([])
  })

  it('shows no secret that is under a known key', () => {
    const { lines, log } = logTo()
    log.info({ token: 'S3CRET', headers: { authorization: 'S3CRET', 'proxy-authorization': 'S3CRET' } })
    log.info({ config: { auth: { token: 'S3CRET', tokens: [{ identity: 'a', sha256: 'S3CRET' }] } } })
    log.info({ auth: { tokens: [{ sha256: 'S3CRET' }] } })
    expect(lines.join('')).to.not.include('S3CRET')
    expect(lines[0]).to.include('[redacted]')
  })

  it('shows no part of a secret with a quotation mark in it, nor one whose key is written otherwise', () => {
    const { lines, log } = logTo()
    const secret = 'no"S3CRET\\"S3CRET'
    for (const key of ['token', 'Token', 'password', 'Authorization', 'Proxy-Authorization', 'SHA256']) {
      log.info({ headers: { [key]: secret }, after: 'is seen' }, 'text')
    }
    for (const line of lines) {
      expect(line).to.not.include('S3CRET')
      expect(JSON.parse(line)).to.include({ after: 'is seen', msg: 'text' })
    }
  })

  it('shows no bearer token inside a text or a header list', () => {
    const { lines, log } = logTo()
    log.info('the header was Authorization: Bearer S3CRET-abc.def==')
    log.info({ headers: [['authorization', 'bearer S3CRET']] })
    log.error(new Error('refused: BEARER S3CRET'))
    for (const line of lines) {
      expect(line).to.not.include('S3CRET')
      expect(() => JSON.parse(line)).to.not.throw()
    }
  })

  it('lets nobody command the terminal that it is read on', () => {
    const { lines, log } = logTo()
    const text = 'a\x1b[2J \x7f \x9b2J \u202e \u2028 \u{e0001} b \u00e9 \u65e5'
    log.info({ path: text }, text)
    expect(lines[0]).to.match(/^[^\p{C}\p{Zl}\p{Zp}]*\n$/u)
    expect(JSON.parse(lines[0])).to.include({ path: text, msg: text })
  })

  it('may speak of bearer tokens', () => {
    const { lines, log } = logTo()
    log.info('a bearer token is required')
    expect(lines[0]).to.include('a bearer token is required')
  })

  it('goes to standard error, also right before the program ends', () => {
    const logger = new URL('../../src/log/logger.ts', import.meta.url).href
    const program = `const { createLogger } = await import(${JSON.stringify(logger)}); createLogger({ level: 'info' }).error('last words'); process.exit(3)`
    const result = spawnSync(process.execPath, ['--import=tsx', '--input-type=module', '-e', program], {
      encoding: 'utf8',
    })
    expect(result.status, result.stderr).to.equal(3)
    expect(result.stdout).to.equal('')
    expect(JSON.parse(result.stderr.trim().split('\n').at(-1)!)).to.include({ msg: 'last words' })
  })
})
