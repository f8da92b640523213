import { expect } from 'chai'
import { ComponentLogs } from '../../src/log/component-logs.ts'
import { LINES, LogBudget, MAX_TEXT } from '../../src/log/log-budget.ts'
import { createLogger } from '../../src/log/logger.ts'

describe('the budget of the log', () => {
  let time: number
  let lines: Record<string, unknown>[]
  let budget: LogBudget

  beforeEach(() => {
    time = 0
    lines = []
    const log = createLogger({ level: 'info', to: { write: line => void lines.push(JSON.parse(line)) } })
    budget = new LogBudget(new ComponentLogs(log), () => time)
  })
  afterEach(() => budget.close())

  const connection = (host: string) => budget.forConnection(host, { remote: host })('http')
  const flood = (host: string, connections: number, each: number): void => {
    for (let i = 0; i < connections; i++) {
      const log = connection(host)
      for (let j = 0; j < each; j++) log.warn({ j }, 'refused')
    }
  }

  it('AT-07 lets one connection write a burst, and then as many lines as its rate allows', () => {
    const log = connection('192.0.2.1')
    for (let i = 0; i < 1000; i++) log.warn({}, 'refused')
    expect(lines).to.have.length(LINES.connection.burst)
    for (time = 0; time < 60_000; time += 10) log.warn({}, 'refused')
    expect(lines.length - LINES.connection.burst).to.be.within(
      60 * LINES.connection.perSecond - 1,
      60 * LINES.connection.perSecond,
    )
    expect(budget.leftOut).to.equal(1000 + 6000 - lines.length)
  })

  it('AT-07 does not let an address have more by opening more connections', () => {
    flood('192.0.2.1', 500, 3)
    expect(lines).to.have.length(LINES.address.burst)
    flood('192.0.2.2', 1, 3)
    expect(lines, 'another address').to.have.length(LINES.address.burst + 3)
  })

  it('AT-07 takes a /64 for one address of IPv6, and an IPv4-mapped address for itself', () => {
    for (let i = 0; i < 500; i++) flood(`2001:db8:0:1::${i.toString(16)}`, 1, 1)
    expect(lines).to.have.length(LINES.address.burst)
    flood('2001:db8:0:2::1', 1, 1)
    flood('fe80::1%eth0', 1, 1)
    for (let i = 0; i < 250; i++) flood(`::ffff:192.0.2.${i}`, 1, 1)
    expect(lines).to.have.length(LINES.address.burst + 252)
  })

  it('AT-07 has a bound for all addresses together, and remembers a bounded number of them', () => {
    for (let i = 0; i < 5000; i++) flood(`10.0.${i >> 8}.${i & 255}`, 1, 1)
    expect(lines).to.have.length(LINES.all.burst)
    budget.close()
    // 1024 have a count of their own.
    expect(lines.pop()?.most).to.include({ others: 5000 - 1024 })
    time += 10_000
    for (let i = 0; i < 5000; i++) flood(`10.1.${i >> 8}.${i & 255}`, 1, 1)
    expect(lines).to.have.length(2 * LINES.all.burst)
  })

  it('AT-07 says how many lines were left out, and because of whom', () => {
    flood('192.0.2.1', 1, LINES.connection.burst + 7)
    flood('192.0.2.2', 1, LINES.connection.burst + 1)
    lines = []
    budget.close()
    expect(lines).to.have.length(1)
    expect(lines[0]).to.deep.include({ level: 'warn', leftOut: 8, most: { '192.0.2.1': 7, '192.0.2.2': 1 } })
    expect(lines[0].msg).to.match(/^8 lines left out: /)
    budget.close()
    expect(lines, 'said once').to.have.length(1)
  })

  it('AT-07 bounds the length of a text', () => {
    connection('192.0.2.1').info({}, 'x'.repeat(100_000))
    expect(lines[0].msg).to.have.length.below(MAX_TEXT + 50)
  })

  it('takes nothing for lines below the level of the log', () => {
    const log = connection('192.0.2.1')
    for (let i = 0; i < 1000; i++) log.debug({}, 'detail')
    log.info({}, 'here')
    expect(lines.map(line => line.msg)).to.deep.equal(['here'])
    expect(budget.leftOut).to.equal(0)
  })
})
