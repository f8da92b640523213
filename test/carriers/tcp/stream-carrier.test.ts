import { Writable } from 'node:stream'
import { expect } from 'chai'
import type { CarrierHandler } from '../../../src/carriers/carrier.ts'
import { CAPSULE_OVERHEAD, StreamCarrier } from '../../../src/carriers/tcp/stream-carrier.ts'
import { until } from '../../support/loopback.ts'

const NOBODY: CarrierHandler = { onCapsuleBytes() {}, onDatagram() {}, onMtu() {}, onEnd() {}, onAborted() {} }

class Carrier extends StreamCarrier {
  protected override endStream(): void {}
  protected override abortStream(): string {
    return ''
  }
  protected override forget(): void {}
}

/** A stream whose peer reads when the test says so. */
function stalled(): { stream: Writable; read: () => void } {
  const waiting: (() => void)[] = []
  let reads = false
  const stream = new Writable({ write: (_bytes, _encoding, done) => (reads ? done() : void waiting.push(done)) })
  const read = (): void => {
    reads = true
    for (const done of waiting.splice(0)) done()
  }
  return { stream, read }
}

describe('the capsules that wait on a stream over TCP', () => {
  it('are counted with what each takes beside its bytes: many small ones are no small matter', async () => {
    const { stream, read } = stalled()
    const carrier = new Carrier(stream, NOBODY)
    const bytes = Uint8Array.of(1, 2, 3)
    for (let i = 0; i < 1000; i++) carrier.sendCapsules(bytes)
    expect(carrier.capsulesWaiting).to.equal(1000 * (bytes.length + CAPSULE_OVERHEAD))
    read()
    await until(() => carrier.capsulesWaiting === 0)
  })

  it('are not counted behind the end of the stream', () => {
    const { stream } = stalled()
    const carrier = new Carrier(stream, NOBODY)
    stream.destroy()
    carrier.sendCapsules(Uint8Array.of(1))
    expect(carrier.capsulesWaiting).to.equal(0)
  })
})
