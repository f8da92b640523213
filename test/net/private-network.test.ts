import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { PATIENCE_MS } from '../support/patience.ts'

const PROGRAM = fileURLToPath(new URL('./private-network.ts', import.meta.url))
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href
/** The namespace ends with its last process. */
const IN_NAMESPACE = ['-Urn', 'sh', '-c', 'ip link set lo up && ip addr add fe80::1/64 dev lo nodad && exec "$@"', 'sh']

describe('in a network without a route', () => {
  let result: {
    connect: string
    link: { unsent: number; because: string; unclaimed: number; faults: number }
    linkLocal: { from: string; path: string; errors: number }
    uncaught: string[]
  }

  before(function () {
    if (spawnSync('unshare', [...IN_NAMESPACE, 'true']).status !== 0) {
      console.log('      skipped: this machine lets this user make no network namespace (unshare -Urn)')
      this.skip()
    }
    const { stdout, stderr } = spawnSync('unshare', [...IN_NAMESPACE, process.execPath, '--import', TSX, PROGRAM], {
      encoding: 'utf8',
      timeout: PATIENCE_MS,
    })
    if (stdout === '') throw new Error(`the program in the namespace has failed:\n${stderr}`)
    result = JSON.parse(stdout)
  })

  it("a QUIC connection is refused with the system's error", () => {
    expect(result.connect).to.equal('ENETUNREACH')
  })

  it('the emulator counts datagrams as not sent, says why, and goes on', () => {
    expect(result.link).to.include({ unsent: 3, unclaimed: 0, faults: 0 })
    expect(result.link.because).to.match(/ENETUNREACH 192\.0\.2\.1:4433/)
  })

  it('AT-02 a client with a link-local address is served by a proxy that listens on ::', () => {
    expect(result.linkLocal).to.deep.equal({ from: 'fe80::1%lo', path: 'fe80::1%lo', errors: 0 })
  })

  it('nothing escapes into the event loop', () => {
    expect(result.uncaught).to.deep.equal([])
  })
})
