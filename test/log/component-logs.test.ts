import { expect } from 'chai'
import type { LogLevel, LogLevels } from '../../src/config/log-section.ts'
import { ComponentLogs, connectionComponent } from '../../src/log/component-logs.ts'
import { createLogger } from '../../src/log/logger.ts'

function logsAt(level: LogLevel, levels?: LogLevels) {
  const lines: Record<string, unknown>[] = []
  const log = createLogger({ level, to: { write: line => void lines.push(JSON.parse(line)) } })
  return { lines, logs: new ComponentLogs(log, levels) }
}

describe('the log of a component', () => {
  it('carries its name in each line', () => {
    const { lines, logs } = logsAt('info')
    logs.of('quic').info({ connection: 'c' }, 'there')
    logs.of('tun').warn('full')
    expect(lines.map(({ component, msg }) => `${component} ${msg}`)).to.deep.equal(['quic there', 'tun full'])
  })

  it('says as much as all of them, or as its own level says: more or less', () => {
    const { lines, logs } = logsAt('info', { quic: 'debug', api: 'error', tun: 'silent' })
    for (const component of ['quic', 'api', 'tun', 'http'] as const) {
      for (const level of ['trace', 'debug', 'info', 'warn', 'error'] as const) logs.of(component)[level](level)
    }
    const said = (component: string) => lines.filter(line => line.component === component).map(line => line.level)
    expect(said('quic')).to.deep.equal(['debug', 'info', 'warn', 'error'])
    expect(said('api')).to.deep.equal(['error'])
    expect(said('tun')).to.deep.equal([])
    expect(said('http')).to.deep.equal(['info', 'warn', 'error'])
  })

  it('may speak where all others are silent', () => {
    const { lines, logs } = logsAt('silent', { dns: 'debug' })
    logs.of('dns').debug('looked up')
    logs.of('proxy').error('down')
    expect(lines.map(({ msg }) => msg)).to.deep.equal(['looked up'])
  })

  it('is made once, and where it is off, whatever it is asked for does nothing at all', () => {
    const { logs } = logsAt('info')
    expect(logs.of('packets')).to.equal(logs.of('packets'))
    const { debug } = logs.of('packets')
    expect(debug, 'pino’s function that is empty').to.equal(logsAt('silent').logs.of('packets').error)
    expect(logs.of('packets').isLevelEnabled('debug')).to.equal(false)
  })

  it('is that of what carries a connection', () => {
    const versions = ['h3', 'h2', 'h1', 'webtransport'] as const
    expect(versions.map(connectionComponent)).to.deep.equal(['quic', 'tcp', 'tcp', 'webtransport'])
  })
})
