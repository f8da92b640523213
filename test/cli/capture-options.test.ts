import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { Command } from 'commander'
import { Capture } from '../../src/capture/capture.ts'
import { type CaptureFlags, captureOptions, closeCapture, openCapture } from '../../src/cli/capture-options.ts'
import { FakeWriter } from '../capture/fake-writer.ts'
import { until } from '../support/loopback.ts'
import { scratchFolder } from '../support/scratch.ts'

describe('the options of a capture', () => {
  let folder: string
  let file: string

  beforeEach(() => {
    folder = scratchFolder('masque-test-capture-options-')
    file = join(folder, 'a.pcapng')
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  /** What is begun, and what standard error says. */
  function opened(...args: string[]): { capture: Capture | undefined; said: string } {
    let said = ''
    const program = captureOptions(new Command().exitOverride().configureOutput({ writeErr: text => (said += text) }))
    program.parse(args, { from: 'user' })
    const { error } = console
    console.error = (text: string) => (said += text)
    try {
      return { capture: openCapture(program.opts<CaptureFlags>(), program), said }
    } finally {
      console.error = error
    }
  }

  it('begin none by themselves, and those of a capture are none without one', () => {
    expect(opened()).to.deep.equal({ capture: undefined, said: '' })
    for (const option of ['--pcap-outer', '--pcap-secrets']) {
      expect(() => opened(option)).to.throw(`option '${option}' is for '--pcap'`)
    }
  })

  it('have nothing in the file that was not asked for, and a warning where secrets are', async () => {
    for (const options of [[], ['--pcap-outer'], ['--pcap-secrets'], ['--pcap-outer', '--pcap-secrets']]) {
      const { capture, said } = opened('--pcap', file, ...options)
      expect(capture?.outer, options.join()).to.equal(options.includes('--pcap-outer'))
      expect(capture?.quic.sent !== undefined, options.join()).to.equal(options.includes('--pcap-outer'))
      expect(capture?.secrets, options.join()).to.equal(options.includes('--pcap-secrets'))
      expect(capture?.quic.keys !== undefined, options.join()).to.equal(options.includes('--pcap-secrets'))
      expect(said.includes('gets the TLS secrets'), options.join()).to.equal(options.includes('--pcap-secrets'))
      await capture?.close()
    }
  })

  it('end with a sentence on what is in the file, and why something is not', async () => {
    const whole = new Capture({ file, application: 'test' })
    for (let i = 0; i < 3; i++) whole.tunnel('a/0').sent(new Uint8Array(20))
    expect((await closeCapture(whole)).text).to.equal(`3 packets in ${file}`)
    const writer = new FakeWriter()
    const cut = new Capture({ file, application: 'test', writer })
    await until(() => writer.content.length > 0)
    writer.room = 0
    cut.tunnel('a/0').sent(new Uint8Array(20))
    expect((await closeCapture(cut)).text).to.equal(`0 packets in ${file}; 1 were left out: the disk is full`)
  })
})
