import { expect } from 'chai'
import { parseClientConfig } from '../../src/client/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { LOG_COMPONENTS, withLogEnvironment } from '../../src/config/log-section.ts'

const log = (text: string) => parseClientConfig(text, { file: 'client.toml' }).log

function problems(run: () => unknown): readonly string[] {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  throw new Error('nothing is wrong with it')
}

describe('the section [log]', () => {
  it('has one level for all, and may have others for single components', () => {
    expect(log('')).to.deep.equal({ level: 'info' })
    expect(log('[log]\nlevel = "warn"\n[log.levels]\nquic = "debug"\napi = "silent"')).to.deep.equal({
      level: 'warn',
      levels: { quic: 'debug', api: 'silent' },
    })
  })

  it('knows components by name only, and says which there are', () => {
    expect(problems(() => log('[log.levels]\nquick = "debug"'))).to.deep.equal([
      `client.toml: log.levels.quick: unknown key, did you mean quic?; allowed here: ${LOG_COMPONENTS.join(', ')}`,
    ])
    expect(problems(() => log('log.levels.quic = "loud"'))[0]).to.match(
      /^client.toml: log.levels.quic: found "loud", expected one of "trace", "debug", /,
    )
  })
})

describe('MASQUE_LOG', () => {
  const file = { level: 'warn', levels: { quic: 'debug' } } as const

  it('changes nothing where it is not set, or is empty', () => {
    expect(withLogEnvironment(file, {})).to.deep.equal(file)
    expect(withLogEnvironment(file, { MASQUE_LOG: ' , ' })).to.deep.equal(file)
  })

  it('with a level for all takes the place of the whole section, so that silent is silent', () => {
    expect(withLogEnvironment(file, { MASQUE_LOG: 'silent' })).to.deep.equal({ level: 'silent', levels: {} })
    expect(withLogEnvironment(file, { MASQUE_LOG: 'info,tun=trace' })).to.deep.equal({
      level: 'info',
      levels: { tun: 'trace' },
    })
  })

  it('with components only changes those, in whatever order and with whatever blanks', () => {
    expect(withLogEnvironment(file, { MASQUE_LOG: ' http = error, api=debug ' })).to.deep.equal({
      level: 'warn',
      levels: { quic: 'debug', http: 'error', api: 'debug' },
    })
    expect(withLogEnvironment(file, { MASQUE_LOG: 'quic=info,quic=error' }).levels).to.deep.equal({ quic: 'error' })
  })

  it('is refused with what would be right', () => {
    const said = (text: string) => problems(() => withLogEnvironment(file, { MASQUE_LOG: text }))
    expect(said('quick=debug')).to.deep.equal([
      `MASQUE_LOG: quick: unknown key, did you mean quic?; allowed here: ${LOG_COMPONENTS.join(', ')}`,
    ])
    expect(said('quic=loud')[0]).to.match(/^MASQUE_LOG: quic: found "loud", expected one of "trace", /)
    for (const text of ['quic', 'info,debug', 'INFO'])
      expect(said(text)[0]).to.match(/^MASQUE_LOG: level: found ".*", expected a level \(trace, debug, .*quic=debug\)/)
    expect(said('__proto__=debug')[0]).to.include('MASQUE_LOG: __proto__: unknown key')
    expect(said('=')[0]).to.include('unknown key')
  })
})

describe('MASQUE_LOG_FORMAT', () => {
  it('is one of three words, or empty', () => {
    const file = { level: 'warn' } as const
    for (const MASQUE_LOG_FORMAT of ['auto', 'pretty', 'json', '', undefined]) {
      expect(withLogEnvironment(file, { MASQUE_LOG_FORMAT })).to.deep.equal(file)
    }
    expect(problems(() => withLogEnvironment(file, { MASQUE_LOG_FORMAT: 'nice' }))).to.deep.equal([
      'environment: MASQUE_LOG_FORMAT: found "nice", expected one of "auto", "pretty", "json"',
    ])
  })
})
