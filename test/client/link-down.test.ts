import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'

const run = promisify(execFile)

/** A network of one's own, whose only link is the loopback interface, down at first. */
const UNSHARE = ['unshare', '--user', '--map-root-user', '--net'] as const

describe('a client whose link goes down and comes back', function () {
  // Two quiet times of QUIC, which never end before three probe timeouts.
  this.timeout(180_000)

  before(function () {
    const [command, ...options] = UNSHARE
    const possible = spawnSync(command, [...options, 'ip', 'link', 'set', 'lo', 'up'])
    if (possible.status !== 0) {
      console.log('      skipped: this system lets nobody make a network namespace (unshare --user --net, iproute2)')
      this.skip()
    }
  })

  it('says so in one sentence when it is down at the start, and waits for it when it had been up', async () => {
    const [command, ...options] = UNSHARE
    const script = new URL('../support/link-down.ts', import.meta.url).pathname
    const { stdout } = await run(command, [...options, process.execPath, '--import', 'tsx', script])
    const report = JSON.parse(stdout)
    expect(report.atStart).to.match(/^there is no way to 127\.0\.0\.1:\d+ \(ENETUNREACH\): is this machine connected/)
    expect(report.down).to.match(/nothing was heard from the peer/)
    expect(report.attempt).to.match(/^there is no way to 127\.0\.0\.1:\d+ \(ENETUNREACH\)/)
    expect(report.gaveUp).to.equal(undefined)
    expect(report.answeredAgain).to.equal(true)
  })
})
