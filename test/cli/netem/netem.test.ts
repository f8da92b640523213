import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect } from 'chai'
import { counterTable } from '../../../src/cli/netem/counters.ts'
import { describeProfile, figure } from '../../../src/cli/netem/show.ts'
import type { EmulatorCounters } from '../../../src/link/emulator/emulator.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { bindUdp } from '../../../src/net/udp.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import { command, type Ended } from '../../support/command.ts'

const netem = (...args: string[]): Promise<Ended> => {
  // Ctrl-C as soon as it runs.
  let interrupted = false
  return command(['netem', ...args], {
    onOutput(stdout, interrupt) {
      if (interrupted || !stdout.includes('"started"')) return
      interrupted = true
      interrupt()
    },
  })
}

const link = {
  offered: 1_234_567,
  delivered: 1_234_000,
  lost: 567,
  outage: 0,
  overflow: 0,
  duplicated: 0,
  reordered: 0,
  corrupted: 0,
  queued: 0,
  bytesOffered: 1e9,
  bytesDelivered: 1e9,
}

const counters: EmulatorCounters = {
  up: [link, link],
  down: [link, link],
  addressChanges: 1,
  clients: 2,
  timelineMs: undefined,
  timing: { p50: 0.02, p99: 0.3, max: 1.5, late: 0, overdue: 0 },
  outside: {
    refused: 0,
    unclaimed: 0,
    unsent: 4,
    unsentBecause: 'connect ENETUNREACH 192.0.2.1:4433',
    icmpErrors: 3,
    stray: 0,
    faults: 0,
    kernelDrops: undefined,
  },
}

describe('netem for people', () => {
  for (const width of [80, 40]) {
    it(`the table of two attachments fits into ${width} columns`, () => {
      const lines = counterTable(counters, { elapsedMs: 1000, width })
      expect(Math.max(...lines.map(line => line.length))).to.be.at.most(width)
      expect(
        lines
          .filter(line => line.startsWith('offered'))
          .join(' ')
          .match(/1 234 567/g),
      ).to.have.length(4)
      expect(lines).to.include('! 3 ICMP errors: is the server there?')
    })
  }

  it('a profile with a timeline is shown with its numbers, its phases and a figure, within its width', () => {
    const text = describeProfile(loadProfile('outage-3s'), 80)
    expect(text).to.match(/^outage-3s: /)
    expect(text).to.match(/delay +\d+ ms +\d+ ms/)
    expect(text).to.match(/at +10 s +for 3 s +outage/)
    expect(figure(loadProfile('outage-3s'), 80)).to.match(/=+x+=+/)
    expect(Math.max(...text.split('\n').map(line => line.length))).to.be.at.most(80)
  })
})

describe('npm run netem', () => {
  it('runs until Ctrl-C, then prints a summary and ends with status 0', async () => {
    const { status, stdout } = await netem('run', 'clean', '--to', '127.0.0.1:9', '--json')
    const events = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(events[0]).to.include({ event: 'started', profile: 'clean' })
    expect(events.at(-1)).to.include({ event: 'summary' })
    expect(status).to.equal(0)
  })

  it('says in a sentence what is wrong, with status 1', async () => {
    const [unknown, missing] = await Promise.all([
      netem('run', 'no-such', '--to', '127.0.0.1:9'),
      netem('run', 'clean'),
    ])
    expect(unknown.status).to.equal(1)
    expect(unknown.stderr).to.match(/no-such/)
    expect(unknown.stderr).not.to.match(/\n\s+at /)
    expect(missing.status).to.equal(1)
    expect(missing.stderr).to.match(/--to is missing/)
  })

  it('says so, and leaves nothing behind, when --tcp finds its port in use', async () => {
    const port = await freePort()
    const other = createServer().listen(port, '127.0.0.1')
    await once(other, 'listening')
    const listen = `127.0.0.1:${port}`
    try {
      const { status, stderr } = await netem('run', 'clean', '--tcp', '--listen', listen, '--to', '127.0.0.1:9')
      expect(status).to.equal(1)
      expect(stderr).to.contain(`TCP ${listen} is already in use`)
      // The emulator's process has ended with it: its port is free.
      ;(await bindUdp({ host: '127.0.0.1', port })).close()
    } finally {
      other.close()
    }
  })
})
