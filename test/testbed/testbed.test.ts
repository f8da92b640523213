import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect } from 'chai'
import { runOnTestbed, withParameters } from '../../src/experiment/run-cell.ts'
import type { RunContext } from '../../src/experiment/runner.ts'
import { plannedRuns } from '../../src/experiment/runner.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import { isRunning } from '../../src/process/is-running.ts'
import { TestbedError } from '../../src/testbed/orders.ts'
import { Testbed } from '../../src/testbed/testbed.ts'
import { sampleDefinition } from '../experiment/sample-experiment.ts'
import { failure, until } from '../support/loopback.ts'

/** Directories of testbeds of this process that are still there. */
function leftBehind(): string[] {
  return readdirSync(tmpdir()).filter(name => /^masque-testbed-\d+-/.test(name) && name.includes(`-${process.pid}-`))
}

describe('a testbed', () => {
  it('has a tunnel through the link to the library, takes another profile and more clients, and leaves nothing behind', async () => {
    const bed = await Testbed.start({ profile: 'clean', seed: '1' })
    try {
      const patient = { timeoutMs: 10_000 }
      await bed.client.ping(bed.library, patient)
      await bed.client.ping(bed.library6, patient)

      await bed.setProfile(withParameters(bed.profile, { rtt_ms: 60 }))
      expect((await bed.client.ping(bed.library, patient)).rttMs).to.be.at.least(59)

      const other = bed.addClient({ tunnel: { encapsulation: 'single-stream' } })
      await other.connect()
      await other.ping(bed.library, patient)
      expect((await bed.serverStatus()).tunnels).to.equal(2)

      const address = bed.client.info.assigned.find(prefix => prefix.version === 4)?.address
      const flow = {
        flowId: 9,
        destination: String(address),
        // Two of them do not fit into one UDP payload, so that the link carries each by itself, however late they leave.
        packetLength: 1000,
        packetsPerSecond: 500,
        durationMs: 100,
      }
      const { sent } = await bed.sendFlow(flow)
      expect(sent).to.equal(50)
      await until(() => bed.client.host.flowSink(9)?.received === 50)

      const counters = await bed.link.counters()
      // And the handshake before them.
      expect(counters.down[0].delivered).to.be.greaterThan(sent)
      expect(counters.clients).to.equal(2)
    } finally {
      await bed.close()
    }
    expect(bed.link.pid !== undefined && isRunning(bed.link.pid)).to.equal(false)
    expect(leftBehind()).to.deep.equal([])
  })

  it('ends at once when it is aborted while it starts', async () => {
    const controller = new AbortController()
    const starting = Testbed.start({ profile: 'clean', seed: '1', signal: controller.signal })
    controller.abort(new RangeError('enough'))
    await failure(starting, RangeError)
    expect(leftBehind()).to.deep.equal([])
  })

  it('says so when one of its processes dies', async () => {
    const bed = await Testbed.start({ profile: 'clean', seed: '1', connect: false })
    try {
      const waiting = bed.whileAlive(() => new Promise(() => {}))
      process.kill(bed.link.pid as number, 'SIGKILL')
      const error = await failure(waiting, Error)
      expect(error.message).to.match(/link emulator's process .*SIGKILL/)
    } finally {
      await bed.close()
    }
    const error = await failure(bed.connect(), Error)
    expect(error.message).to.match(/link emulator/)
    expect(() => bed.addClient()).to.throw(TestbedError, 'closed')
  })

  it('measures a cell of an experiment', async () => {
    const toml = `
      title = "Small"
      question = "Does it run?"
      seeds = 1
      duration_s = 0.5
      warm_up_s = 0
      parameters.rtt_ms = [40]
      [probe.setup]
      count = 1
      [probe.ping]
    `
    const definition = sampleDefinition(toml)
    const context: RunContext = { signal: new AbortController().signal, onStep() {} }
    const { measurements, samples } = await runOnTestbed(definition, { loadProfile })(
      plannedRuns(definition)[0],
      context,
    )
    expect(measurements['setup.failed_percent']).to.equal(0)
    expect(measurements['ping.rtt_min_ms']).to.be.at.least(39)
    expect(measurements['conditions.up_packets']).to.be.greaterThan(20)
    expect(samples['ping.rtt_ms'].length).to.be.greaterThan(0)
  })
  it('has a congestion control for each client in turn, and the proxy towards it', async () => {
    const bed = await Testbed.start({
      profile: 'clean',
      seed: '1',
      connect: false,
      clients: 3,
      congestionControl: ['reno', 'bbr'],
    })
    try {
      const names = bed.clients.map(({ config }) => config.quic.congestionControl)
      expect(names).to.deep.equal(['reno', 'bbr', 'reno'])
    } finally {
      await bed.close()
    }
    const definition = sampleDefinition(`
      title = "Two"
      question = "Who gets how much?"
      seeds = 1
      duration_s = 0.5
      warm_up_s = 0
      parameters.clients = [2]
      parameters.congestion_control = ["reno+bbr"]
      [probe.flow]
      direction = "down"
    `)
    const context: RunContext = { signal: new AbortController().signal, onStep() {} }
    const { measurements } = await runOnTestbed(definition, { loadProfile })(plannedRuns(definition)[0], context)
    // Nothing is scarce here: both have what they were sent.
    expect(measurements['flow.first_share_percent']).to.be.within(1, 99)
  })
})
