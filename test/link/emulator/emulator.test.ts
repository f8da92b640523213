import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { expect } from 'chai'
import { systemClock } from '../../../src/hosts/clock.ts'
import { type EmulatorOptions, LinkEmulator } from '../../../src/link/emulator/emulator.ts'
import { startEmulatorProcess } from '../../../src/link/emulator/emulator-process.ts'
import { CLEAN, type Impairment, type Phase, type Profile } from '../../../src/link/profile/profile.ts'
import { bindUdp, LOOPBACK, type SocketAddress } from '../../../src/net/udp.ts'
import { takenPortHint } from '../../../src/net/user-ports.ts'
import { freePort } from '../../../src/testbed/free-port.ts'
import { sendFromPortZero } from '../../support/odd-senders.ts'

function profileOf(impairment: Partial<Impairment> = {}, more: Partial<Profile> = {}): Profile {
  const link = { ...CLEAN, ...impairment }
  return { name: 'test', title: '', about: '', source: '', up: link, down: link, timeline: [], ...more }
}

describe('the link emulator', () => {
  const cleanup: (() => unknown)[] = []
  afterEach(async () => {
    for (const undo of cleanup.splice(0).reverse()) await undo()
  })

  const open = async (address = LOOPBACK): Promise<Socket> => {
    const socket = await bindUdp(address)
    cleanup.push(() => socket.close())
    return socket
  }
  const portOf = (socket: Socket): number => socket.address().port

  /** Sends each datagram back, and remembers who sent. */
  const echo = async (port = 0): Promise<{ port: number; sources: string[] }> => {
    const socket = await open({ ...LOOPBACK, port })
    const sources: string[] = []
    socket.on('message', (payload, from) => {
      sources.push(`${from.address}:${from.port}`)
      socket.send(payload, from.port, from.address)
    })
    return { port: portOf(socket), sources }
  }

  const start = async (options: Partial<EmulatorOptions> & { port: number }): Promise<LinkEmulator> => {
    const to = { host: '127.0.0.1', port: options.port }
    const link = await LinkEmulator.start({ profile: profileOf(), seed: '1', to, ...options })
    cleanup.push(() => link.close())
    return link
  }

  const ask = async (client: Socket, to: SocketAddress, text: string): Promise<string> => {
    const answered = once(client, 'message')
    client.send(text, to.port, to.host)
    return String((await answered)[0])
  }

  it('carries datagrams both ways, and counts them', async () => {
    const server = await echo()
    const link = await start({ port: server.port })
    const client = await open()
    expect(await ask(client, link.address, 'one')).to.equal('one')
    expect(await ask(client, link.address, 'three')).to.equal('three')
    const { up, down, clients, outside } = link.counters()
    for (const counters of [up[0], down[0]]) {
      expect(counters).to.include({ offered: 2, delivered: 2, bytesOffered: 8, bytesDelivered: 8, queued: 0, lost: 0 })
    }
    expect(clients).to.equal(1)
    expect(outside).to.include({ refused: 0, unclaimed: 0, unsent: 0, icmpErrors: 0 })
  })

  it('counts what left more than 2 ms late, until it is told to begin again', async () => {
    const server = await echo()
    const link = await start({ port: server.port, profile: profileOf({ delayMs: 40 }) })
    const client = await open()
    await ask(client, link.address, 'first')
    link.forgetTiming()
    const answered = once(client, 'message')
    client.send('second', link.address.port, link.address.host)
    while (link.counters().up[0].offered < 2) await new Promise(setImmediate)
    // Everything here is one process: nobody serves the link for so long.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    await answered
    expect(link.counters().timing.late).to.be.within(1, 2)
    expect(link.counters().timing.overdue).to.be.at.most(link.counters().timing.late)
    link.forgetTiming()
    expect(link.counters().timing.late).to.equal(0)
  })

  it('lets nothing through before its delay is over', async () => {
    const server = await echo()
    const link = await start({ port: server.port, profile: profileOf({ delayMs: 15 }) })
    const client = await open()
    const began = performance.now()
    await ask(client, link.address, 'x')
    expect(performance.now() - began).to.be.at.least(30)
  })

  it('loses what the profile loses, and says so', async () => {
    const server = await echo()
    const up = { ...CLEAN, loss: { model: 'random', rate: 1, correlation: 0 } as const }
    const link = await start({ port: server.port, profile: profileOf({}, { up }) })
    const client = await open()
    for (let i = 0; i < 5; i++) client.send('x', link.address.port, link.address.host)
    while (link.counters().up[0].offered < 5) await new Promise(setImmediate)
    expect(link.counters().up[0]).to.include({ offered: 5, lost: 5, delivered: 0 })
    expect(server.sources).to.deep.equal([])
  })

  it('gives each client address a socket of its own, and each answer to who asked', async () => {
    const server = await echo()
    const link = await start({ port: server.port })
    const clients = await Promise.all([open(), open(), open()])
    const answers = await Promise.all(clients.map((client, i) => ask(client, link.address, `client ${i}`)))
    expect(answers).to.deep.equal(['client 0', 'client 1', 'client 2'])
    expect(new Set(server.sources).size).to.equal(3)
    expect(link.counters().clients).to.equal(3)
  })

  it('turns away clients beyond its maximum', async () => {
    const server = await echo()
    const link = await start({ port: server.port, maxClients: 1 })
    const [first, second] = await Promise.all([open(), open()])
    await ask(first, link.address, 'x')
    second.send('y', link.address.port, link.address.host)
    while (link.counters().outside.refused === 0) await new Promise(setImmediate)
    expect(await ask(first, link.address, 'z')).to.equal('z')
    expect(server.sources).to.have.length(2)
  })

  it('survives a server that is not there yet', async () => {
    const port = await freePort()
    const link = await start({ port })
    const client = await open()
    client.send('to nobody', link.address.port, link.address.host)
    while (link.counters().up[0].delivered < 1) await new Promise(setImmediate)
    await echo(port)
    // The first may be lost to the pending "connection refused".
    const answered = once(client, 'message')
    const again = setInterval(() => client.send('here', link.address.port, link.address.host), 5)
    expect(String((await answered)[0])).to.equal('here')
    clearInterval(again)
  })

  const addressChange = (change: 'nat-rebind' | 'handover', to: 0 | 1): Phase => ({
    kind: 'address-change',
    atMs: 0,
    durationMs: Number.POSITIVE_INFINITY,
    direction: 'both',
    change,
    to,
  })

  it('nat-rebind: the server sees another source port, and the client gets its answers', async () => {
    const server = await echo()
    const profile = profileOf({}, { timeline: [addressChange('nat-rebind', 0)] })
    const link = await start({ port: server.port, profile, startTimeline: false })
    const client = await open()
    await ask(client, link.address, 'before')
    const changed = once(link, 'address-change')
    link.beginTimeline()
    expect((await changed)[0]).to.include({ change: 'nat-rebind' })
    expect(await ask(client, link.address, 'after')).to.equal('after')
    expect(new Set(server.sources).size).to.equal(2)
    expect(link.counters()).to.include({ addressChanges: 1, clients: 1 })
  })

  it('handover: the first attachment is dead, the second carries packets', async () => {
    const server = await echo()
    const second = { up: CLEAN, down: CLEAN }
    const profile = profileOf({}, { second, timeline: [addressChange('handover', 1)] })
    const link = await start({ port: server.port, profile, startTimeline: false })
    const client = await open()
    await ask(client, link.address, 'before')
    link.beginTimeline()
    client.send('into the void', link.address.port, link.address.host)
    while (link.counters().up[0].outage === 0) await new Promise(setImmediate)
    expect(link.secondAddress).not.to.deep.equal(link.address)
    const other = await open()
    expect(await ask(other, link.secondAddress ?? link.address, 'after')).to.equal('after')
    expect(link.counters().up[1]).to.include({ offered: 1, delivered: 1 })
  })

  it('begins its timeline with the first datagram', async () => {
    const server = await echo()
    const outage: Phase = { kind: 'outage', atMs: 0, durationMs: Number.POSITIVE_INFINITY, direction: 'up' }
    const link = await start({ port: server.port, profile: profileOf({}, { timeline: [outage] }) })
    expect(link.counters().timelineMs).to.equal(undefined)
    const client = await open()
    const begun = once(link, 'phase')
    client.send('x', link.address.port, link.address.host)
    expect((await begun)[0].phase).to.include({ kind: 'outage' })
    while (link.counters().up[0].offered === 0) await new Promise(setImmediate)
    expect(link.counters().up[0]).to.include({ offered: 1, outage: 1 })
  })

  it('begins its timeline as it is after some time, when it is told to', async () => {
    const server = await echo()
    // Long enough for a machine on which a second is nothing.
    const outage: Phase = { kind: 'outage', atMs: 3_600_000, durationMs: 100_000, direction: 'both' }
    const profile = profileOf({}, { timeline: [outage, addressChange('nat-rebind', 0)] })
    const link = await start({ port: server.port, profile, startTimeline: false })
    const changed = once(link, 'address-change')
    link.beginTimeline(3_600_500)
    expect((await changed)[0].atMs).to.equal(0)
    expect(link.counters().timelineMs).to.be.at.least(3_600_500)
    const client = await open()
    client.send('into the void', link.address.port, link.address.host)
    while (link.counters().up[0].offered === 0) await new Promise(setImmediate)
    expect(link.counters().up[0].outage).to.equal(1)
  })

  it('changes its profile while it runs', async () => {
    const server = await echo()
    const link = await start({ port: server.port })
    const client = await open()
    await ask(client, link.address, 'x')
    link.setProfile(profileOf({ down: true }))
    client.send('y', link.address.port, link.address.host)
    while (link.counters().up[0].outage === 0) await new Promise(setImmediate)
    link.setProfile(profileOf())
    expect(await ask(client, link.address, 'z')).to.equal('z')
  })

  it('AT-01 drops and counts a datagram from port 0, to which no answer can be sent', async () => {
    const server = await echo()
    const link = await start({ port: server.port })
    sendFromPortZero(Uint8Array.of(1), link.address.port)
    while (link.counters().outside.stray === 0) await new Promise(setImmediate)
    expect(server.sources).to.deep.equal([])
    expect(await ask(await open(), link.address, 'x')).to.equal('x')
    expect(link.counters().outside.faults).to.equal(0)
  })

  it('AT-20 counts a datagram as not sent when the system does not let it go there, and says why', async () => {
    const link = await start({ port: 1, to: { host: '255.255.255.255', port: 4433 } })
    const client = await open()
    for (let i = 1; i <= 2; i++) {
      client.send('x', link.address.port, link.address.host)
      while (link.counters().outside.unsent < i) await new Promise(setImmediate)
    }
    const { outside } = link.counters()
    expect(outside).to.include({ unsent: 2, unclaimed: 0, faults: 0 })
    expect(outside.unsentBecause).to.match(/^connect E[A-Z]+ 255\.255\.255\.255:4433/)
  })

  it('AT-21 refuses to lead to itself', async () => {
    const port = await freePort()
    for (const [listen, to] of [
      ['127.0.0.1', '127.0.0.1'],
      ['0.0.0.0', '127.0.0.1'],
      ['localhost', '127.0.0.1'],
      ['127.0.0.1', 'localhost'],
      ['::', '127.0.0.1'],
    ]) {
      const options = { port, listen: { host: listen, port }, to: { host: to, port } }
      const error = await start(options).catch(error => error)
      expect(error.name, `${listen} ${to}`).to.equal('EmulatorError')
      expect(error.message).to.match(/is where this link itself listens/)
    }
  })

  it('goes on when whoever listens to its events throws, and counts that', async () => {
    const server = await echo()
    const phase: Phase = {
      kind: 'address-change',
      atMs: 0,
      durationMs: 1,
      direction: 'both',
      change: 'handover',
      to: 0,
    }
    const link = await start({ port: server.port, profile: profileOf({}, { timeline: [phase] }) })
    link.on('address-change', () => {
      throw new Error('a bug of the listener')
    })
    expect(await ask(await open(), link.address, 'x')).to.equal('x')
    expect(link.counters().outside.faults).to.equal(1)
  })

  it('says in a sentence what is wrong with an address', async () => {
    const taken = await open()
    const failed = await start({ port: 1, listen: { host: '127.0.0.1', port: portOf(taken) } }).catch(error => error)
    expect(failed.name).to.equal('EmulatorError')
    expect(failed.message).to.match(/^UDP 127\.0\.0\.1:\d+ is already in use: stop the other program/)
    expect(failed.message).to.include(takenPortHint(portOf(taken)))
    const elsewhere = await start({ port: 1, listen: { host: '192.0.2.1', port: 0 } }).catch(error => error)
    expect(elsewhere.message).to.match(/this machine has no such address/)
  })

  describe('in a process of its own', () => {
    it('does the same, tells what happens, and is gone after close', async () => {
      const server = await echo()
      const profile = profileOf({}, { timeline: [addressChange('nat-rebind', 0)] })
      const to = { host: '127.0.0.1', port: server.port }
      const link = await startEmulatorProcess({ profile, seed: '1', to, startTimeline: false })
      cleanup.push(() => link.close())
      const client = await open()
      expect(await ask(client, link.address, 'x')).to.equal('x')
      const changed = once(link, 'address-change')
      const asked = systemClock.now()
      expect(await link.beginTimeline()).to.be.within(asked, systemClock.now())
      expect((await changed)[0]).to.include({ change: 'nat-rebind' })
      expect((await link.counters()).up[0]).to.include({ offered: 1, delivered: 1 })
      await link.close()
      expect(() => process.kill(link.pid ?? 0, 0)).to.throw(/ESRCH/)
      expect(await link.counters().catch(error => error.name)).to.equal('EmulatorError')
    })

    it('leaves it to its parent what ends it, and still has the counters when a signal went to the whole group', async () => {
      const link = await startEmulatorProcess({ profile: profileOf(), seed: '1', to: { host: '127.0.0.1', port: 1 } })
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(link.pid ?? 0, signal)
      expect((await link.counters()).up[0]).to.include({ offered: 0 })
      await link.close()
    })

    it('passes on why it cannot start, and says so when it dies', async () => {
      const taken = await open()
      const options = { profile: profileOf(), seed: '1', to: { host: '127.0.0.1', port: 1 } }
      const [failed, link] = await Promise.all([
        startEmulatorProcess({ ...options, listen: { host: '127.0.0.1', port: portOf(taken) } }).catch(error => error),
        startEmulatorProcess(options),
      ])
      expect(failed.message).to.match(/is already in use/)
      const died = once(link, 'died')
      process.kill(link.pid ?? 0, 'SIGKILL')
      expect((await died)[0].message).to.match(/the link emulator's process was ended by SIGKILL/)
      await link.close()
    })
  })
})
