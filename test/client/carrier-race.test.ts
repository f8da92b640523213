import { expect } from 'chai'
import type { HttpVersion } from '../../src/carriers/http-connection.ts'
import { type AwaitTurn, CarrierRace, type Contender } from '../../src/client/carrier-race.ts'
import { ClientError } from '../../src/client/errors.ts'
import { FakeClock, settle } from '../hosts/fake-clock.ts'

/** An attempt whose fate the test decides. */
class FakeContender implements Contender {
  readonly carrier: HttpVersion
  accepted = false
  asked = false
  closed = false
  readonly #awaitTurn: AwaitTurn
  #resolve: () => void = () => {}
  #reject: (error: ClientError) => void = () => {}

  constructor(carrier: HttpVersion, awaitTurn: AwaitTurn) {
    this.carrier = carrier
    this.#awaitTurn = awaitTurn
  }

  connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** Handshake and SETTINGS are done. */
  ready(): void {
    this.#awaitTurn(() => {
      this.asked = true
    })
  }

  async stand(): Promise<void> {
    this.#resolve()
    await settle()
  }

  async fail(error: ClientError): Promise<void> {
    this.#reject(error)
    await settle()
  }

  async close(): Promise<void> {
    this.closed = true
    this.#reject(new ClientError('tunnel', 'the client was closed while it was connecting'))
  }
}

const SILENCE = new ClientError('timeout', 'no answer from 192.0.2.1:443')
const NOBODY = new ClientError('network', 'nobody listens at 192.0.2.1:443: is the proxy running?')

describe('a race of carriers', () => {
  const start = (carriers: readonly HttpVersion[] = ['h3', 'h2']) => {
    const clock = new FakeClock()
    const begun: FakeContender[] = []
    const errors: unknown[] = []
    const race = new CarrierRace<FakeContender>({
      carriers,
      begin: (carrier, awaitTurn) => {
        begun.push(new FakeContender(carrier, awaitTurn))
        return begun[begun.length - 1]
      },
      headStartMs: 250,
      onError: error => errors.push(error),
      clock,
    })
    const outcome = race.run().then(
      winner => winner,
      (error: ClientError) => error,
    )
    return {
      clock,
      race,
      errors,
      outcome,
      names: () => begun.map(({ carrier }) => carrier),
      get h3() {
        return begun.find(({ carrier }) => carrier === 'h3') as FakeContender
      },
      get h2() {
        return begun.find(({ carrier }) => carrier === 'h2') as FakeContender
      },
    }
  }

  it('begins with the first carrier, and with the second 250 ms later', async () => {
    const { clock, names } = start()
    await clock.advance(249)
    expect(names()).to.deep.equal(['h3'])
    await clock.advance(1)
    expect(names()).to.deep.equal(['h3', 'h2'])
  })

  it('begins with the second at once when the first has failed', async () => {
    const { h3, names, clock } = start()
    await h3.fail(NOBODY)
    expect(names()).to.deep.equal(['h3', 'h2'])
    await clock.advance(1000)
    expect(names()).to.deep.equal(['h3', 'h2'])
  })

  it('does not begin with the second while the request of the first is under way', async () => {
    const { h3, names, clock, outcome } = start()
    h3.ready()
    expect(h3.asked).to.equal(true)
    await clock.advance(2999)
    expect(names()).to.deep.equal(['h3'])
    await h3.stand()
    expect(await outcome).to.equal(h3)
    expect(clock.pendingTimers).to.equal(0)
  })

  it('has one request under way: who is second to be ready waits, and is closed without having asked', async () => {
    const race = start()
    await race.clock.advance(250)
    race.h2.ready()
    race.h3.ready()
    expect([race.h2.asked, race.h3.asked]).to.deep.equal([true, false])
    await race.h2.stand()
    expect(await race.outcome).to.equal(race.h2)
    expect(race.h3).to.include({ closed: true, asked: false })
    expect(race.h2.closed).to.equal(false)
    expect(race.errors).to.deep.equal([])
  })

  it('closes one that stands after another has won', async () => {
    const race = start()
    await race.clock.advance(250)
    race.h2.ready()
    await race.h2.stand()
    race.h3.ready()
    await race.h3.stand()
    expect(await race.outcome).to.equal(race.h2)
    expect(race.h3).to.include({ closed: true, asked: false })
  })

  it('lets the second ask when the request of the first has failed without an answer', async () => {
    const race = start()
    await race.clock.advance(250)
    race.h3.ready()
    race.h2.ready()
    await race.h3.fail(SILENCE)
    expect(race.h2.asked).to.equal(true)
    await race.h2.stand()
    expect(await race.outcome).to.equal(race.h2)
  })

  it('begins with the second when the request of the first has no answer after three seconds, and lets it ask then', async () => {
    const race = start()
    race.h3.ready()
    await race.clock.advance(3000)
    expect(race.names()).to.deep.equal(['h3', 'h2'])
    expect(race.h3.closed).to.equal(false)
    race.h2.ready()
    expect(race.h3.closed).to.equal(true)
    expect(race.h2.asked).to.equal(true)
    await race.h2.stand()
    expect(await race.outcome).to.equal(race.h2)
  })

  it('leaves a tunnel that was granted its time', async () => {
    const race = start()
    race.h3.ready()
    race.h3.accepted = true
    await race.clock.advance(9000)
    expect(race.names()).to.deep.equal(['h3'])
    await race.h3.stand()
    expect(await race.outcome).to.equal(race.h3)
  })

  for (const [title, error] of [
    ['a status of 401', new ClientError('http', 'status 401', { status: 401 })],
    ['a status of 421', new ClientError('http', 'status 421', { status: 421 })],
    ['a status of 503', new ClientError('http', 'status 503', { status: 503 })],
    [
      'a certificate that is not trusted',
      new ClientError('tls', 'we do not trust the proxy', { tlsAlert: { code: 48, name: 'unknown_ca' } }),
    ],
    [
      'a TLS alert about the protocol',
      new ClientError('protocol', 'it is no proxy', { tlsAlert: { code: 120, name: 'no_application_protocol' } }),
    ],
    ['a configuration that cannot work', new ClientError('config', 'the token file is gone')],
  ] as const) {
    it(`AT-30 ends with ${title}: it is not raced around`, async () => {
      const { h3, names, outcome, clock } = start()
      await h3.fail(error)
      expect(await outcome).to.include({ kind: error.kind, status: error.status, tlsAlert: error.tlsAlert })
      expect((await outcome) as unknown).to.have.property('message', `over h3: ${error.message}`)
      await clock.advance(10_000)
      expect(names()).to.deep.equal(['h3'])
    })
  }

  it('AT-30 ends when the second meets somebody who is not trusted, and closes the first', async () => {
    const race = start()
    await race.clock.advance(250)
    await race.h2.fail(new ClientError('tls', 'we do not trust the proxy'))
    expect(await race.outcome).to.include({
      kind: 'tls',
      message: 'over h2: we do not trust the proxy; over h3: no answer so far',
    })
    expect(race.h3.closed).to.equal(true)
  })

  it('tells why each has failed in one sentence, and is worth another attempt', async () => {
    const race = start()
    await race.clock.advance(250)
    await race.h2.fail(NOBODY)
    await race.h3.fail(SILENCE)
    const error = (await race.outcome) as unknown as ClientError
    expect(error).to.include({ kind: 'timeout', retryable: true })
    expect(error.message).to.equal(`over h2: ${NOBODY.message}; over h3: ${SILENCE.message}`)
  })

  it('is of the kind of what says most', async () => {
    const race = start()
    await race.h3.fail(new ClientError('protocol', 'it does not support Extended CONNECT'))
    await race.h2.fail(SILENCE)
    expect(await race.outcome).to.include({ kind: 'protocol' })
  })

  it('ends with all that is under way when it is cancelled, and begins nothing more', async () => {
    const race = start()
    race.h3.ready()
    await race.race.cancel()
    expect(await race.outcome).to.include({ kind: 'tunnel' })
    expect(race.h3.closed).to.equal(true)
    await race.clock.advance(10_000)
    expect(race.names()).to.deep.equal(['h3'])
    expect(race.clock.pendingTimers).to.equal(0)
  })
})
