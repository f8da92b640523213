import { expect } from 'chai'
import { type EmulatorCounters, LinkEmulator } from '../../src/link/emulator/emulator.ts'
import { type EmulatorHandle, startEmulatorProcess } from '../../src/link/emulator/emulator-process.ts'
import { EmulatorError } from '../../src/link/emulator/udp-socket.ts'
import { loadProfile } from '../../src/link/profile/load-profile.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { createLogger } from '../../src/log/logger.ts'
import { takenPortHint } from '../../src/net/user-ports.ts'
import { LateAnswerError } from '../../src/process/child.ts'
import {
  AttachedLink,
  LINK_CHANGE_LIMITS,
  type LinkChangeError,
  type LinkInfo,
  type LinkOptions,
} from '../../src/server/attached-link.ts'
import { hashToken } from '../../src/server/auth.ts'
import type { MasqueServer } from '../../src/server/server.ts'
import { askApi } from '../support/api-client.ts'
import { closeLoopback, connectClient, failure, ping, startServer, until } from '../support/loopback.ts'

const TOKEN = 'f00dfeedf00dfeedf00dfeed'
const BEARER = { authorization: `Bearer ${TOKEN}` }
const PATH = '/api/v1/link'

/** A real emulator, in this process. */
const emulated = (profile: string): LinkOptions => ({
  profile: loadProfile(profile),
  start: options => LinkEmulator.start({ ...options, seed: '1' }),
})

describe('a link emulator in front of the proxy', () => {
  afterEach(closeLoopback)

  const start = (link?: LinkOptions): Promise<MasqueServer> =>
    startServer({ api: { enabled: true, port: 0, live: true, tokenSha256: hashToken(TOKEN) } }, { link })

  const read = async ({ apiUrl }: MasqueServer): Promise<LinkInfo> =>
    JSON.parse((await askApi(apiUrl as string, PATH)).body)
  const change = ({ apiUrl }: MasqueServer, query: string, headers: Record<string, string> = BEARER) =>
    askApi(apiUrl as string, `${PATH}${query}`, { method: 'POST', headers })
  const detail = ({ body }: { body: string }): string => JSON.parse(body).detail

  it('is shown by the API: where it is, what it does, and what it has done to packets', async () => {
    const server = await start(emulated('clean'))
    const link = server.link as AttachedLink
    const { client } = await connectClient({ address: link.address })
    await ping(client, '10.90.0.1')
    const info = await read(server)
    expect(info).to.include({ address: `127.0.0.1:${link.address.port}`, profile: 'clean', changes: 0, running: true })
    expect(info.toClients).to.include({ delayMs: 0, lossPercent: 0, rateKbit: null, outage: false })
    expect(info.fromClients.packets.delivered).to.be.greaterThan(1)
    expect(info.toClients.packets.delivered).to.be.greaterThan(1)
  })

  it('does what it was changed to at once, for a client that is there, and all who listen hear of it', async () => {
    const server = await start(emulated('clean'))
    const heard: LinkInfo[] = []
    const leave = server.events.subscribe(({ type, data }) => type === 'link' && heard.push(data as LinkInfo))
    const { client } = await connectClient({ address: (server.link as AttachedLink).address })
    const { status, body } = await change(server, '?delayMs=40&direction=toClients')
    expect(status).to.equal(200)
    expect(JSON.parse(body)).to.deep.include({ profile: 'clean', changes: 1 })
    expect(JSON.parse(body).toClients.delayMs).to.equal(40)
    expect(JSON.parse(body).fromClients.delayMs).to.equal(0)
    expect((await ping(client, '10.90.0.1')).rttMs).to.be.at.least(39)
    await until(() => heard.some(({ changes, toClients }) => changes === 1 && toClients.delayMs === 40))
    const both = JSON.parse((await change(server, '?delayMs=50&jitterMs=5&direction=fromClients')).body)
    expect(both.fromClients).to.include({ delayMs: 50, jitterMs: 5 })
    const all = JSON.parse((await change(server, '?profile=clean&lossPercent=100')).body)
    expect(all.toClients).to.include({ delayMs: 0, lossPercent: 100 })
    const before = all.fromClients.packets.lost
    client.ping('10.90.0.1', { timeoutMs: 1 }).catch(() => {})
    await until(async () => (await read(server)).fromClients.packets.lost > before)
    await change(server, '?profile=clean')
    leave()
  })

  it('AT-34 stays as it is for who has no token, another one, or is a page of another site', async () => {
    const server = await start(emulated('clean'))
    for (const headers of [{}, { authorization: `Bearer ${TOKEN}0` }] as Record<string, string>[]) {
      expect((await change(server, '?delayMs=40', headers)).status).to.equal(401)
    }
    const other = await change(server, '?delayMs=40', { ...BEARER, 'sec-fetch-site': 'cross-site' })
    expect(other.status).to.equal(403)
    expect(await read(server)).to.include({ changes: 0 })
  })

  it('refuses what no link does, and what this one cannot, with a problem that says why', async () => {
    const server = await start(emulated('clean'))
    const wrong = ['delayMs=10001', 'delayMs=-1', 'delayMs=1ms', 'jitterMs=2001', 'lossPercent=101', 'lossPercent=0x1']
    for (const query of [...wrong, 'rateKbit=10000001', 'direction=up', 'profile=../lte', 'trace=x']) {
      const answer = await change(server, `?${query}`)
      expect(answer.status, query).to.equal(400)
      expect(detail(answer), query).to.include(query.split('=')[0])
    }
    expect((await change(server, '?profile=nowhere')).status).to.equal(404)
    const handover = await change(server, '?profile=handover-wifi-lte')
    expect(handover.status).to.equal(409)
    expect(detail(handover)).to.include('second attachment')
    expect(await read(server)).to.include({ profile: 'clean', changes: 0 })
  })

  it('that is not there cannot be read or changed, and the live view is told so', async () => {
    const server = await start()
    expect((await askApi(server.apiUrl as string, PATH)).status).to.equal(404)
    expect((await change(server, '?delayMs=1')).status).to.equal(404)
    const about = await fetch(`${server.liveUrl}about.json`).then(response => response.json())
    expect((about as { linkProfiles: unknown }).linkProfiles).to.equal(null)
  })

  describe('in a process of its own', () => {
    let emulator: EmulatorHandle
    let lines: string[]
    const startApart = (answerMs?: number): Promise<MasqueServer> => {
      lines = []
      const logger = createLogger({ level: 'error', to: { write: line => void lines.push(line) } })
      const link: LinkOptions = {
        profile: loadProfile('clean'),
        async start({ profile, to, onDeath }) {
          emulator = await startEmulatorProcess({ profile, to, seed: '1' }, answerMs === undefined ? {} : { answerMs })
          emulator.once('died', onDeath)
          return emulator
        },
      }
      const api = { enabled: true, port: 0, tokenSha256: hashToken(TOKEN) }
      return startServer({ api, log: { level: 'error' } }, { link, logger })
    }
    before(function () {
      if (process.platform === 'win32') this.skip()
    })

    it('that was stopped lets nobody wait: 504, the rest of the API answers, and when it goes on it is as before', async () => {
      // Enough for one that runs, also where many others want to: 0.3 s were not.
      const server = await startApart(5000)
      const { apiUrl } = server as { apiUrl: string }
      process.kill(emulator.pid as number, 'SIGSTOP')
      const answers = await Promise.all([
        askApi(apiUrl, PATH),
        change(server, '?delayMs=40'),
        change(server, '?delayMs=50'),
      ])
      expect(answers.map(({ status }) => status)).to.deep.equal([504, 504, 504])
      for (const answer of answers)
        expect(detail(answer)).to.match(/^the emulator of the link runs, and does not answer/)
      expect((await askApi(apiUrl, '/api/v1/status')).status).to.equal(200)
      expect((server.link as AttachedLink).info()).to.include({ running: false, changes: 0 })
      process.kill(emulator.pid as number, 'SIGCONT')
      await until(async () => (await askApi(apiUrl, PATH)).status === 200)
      expect(await read(server)).to.include({ running: true, changes: 0 })
      expect((await change(server, '?delayMs=40')).status).to.equal(200)
      expect(lines).to.deep.equal([])
    })

    it('that has died is in the log, and told to all who listen, before anybody asks', async () => {
      const server = await startApart()
      const heard: LinkInfo[] = []
      const leave = server.events.subscribe(({ type, data }) => type === 'link' && heard.push(data as LinkInfo))
      process.kill(emulator.pid as number, 'SIGKILL')
      await until(() => heard.some(({ running }) => !running))
      leave()
      expect(lines.map(line => JSON.parse(line))).to.have.length(1)
      expect(JSON.parse(lines[0])).to.include({
        msg: 'the emulated link has ended; clients that come through it are cut off',
      })
      expect(JSON.parse(lines[0]).reason).to.include('was ended by SIGKILL')
      expect((await change(server, '?delayMs=40')).status).to.equal(409)
    })
  })

  it('whose port is taken says which ports are of whoever asks', async () => {
    const first = await start(emulated('clean'))
    const listen = (first.link as AttachedLink).address
    const link: LinkOptions = {
      profile: loadProfile('clean'),
      start: ({ profile, to }) => LinkEmulator.start({ profile, to, seed: '1', listen }),
    }
    const { message } = await failure(start(link), EmulatorError)
    expect(message).to.include('is already in use').and.include(takenPortHint(listen.port))
  })

  it('that can be had nowhere leaves nothing of the proxy behind', async () => {
    const link: LinkOptions = { profile: loadProfile('clean'), start: () => Promise.reject(new RangeError('no port')) }
    await failure(start(link), RangeError)
  })
})

/** As an emulator is seen from here. */
class FakeEmulator {
  readonly address = { host: '127.0.0.1', port: 5433 }
  readonly secondAddress = undefined
  readonly profiles: string[] = []
  timelineMs: number | undefined
  isDead = false
  isLate = false
  stopsAtChange = false
  /** Holds `setProfile` until it resolves. */
  hold: Promise<void> | undefined

  async counters(): Promise<EmulatorCounters> {
    if (this.isDead) throw new Error('the process has ended')
    if (this.isLate) throw new LateAnswerError('no answer')
    return { up: [], down: [], timelineMs: this.timelineMs } as unknown as EmulatorCounters
  }
  async setProfile({ name }: Profile): Promise<void> {
    await this.hold
    this.isLate ||= this.stopsAtChange
    if (this.isLate) throw new LateAnswerError('no answer')
    if (this.isDead) throw new Error('the process has ended')
    this.profiles.push(name)
  }
  async close(): Promise<void> {}
}

describe('what a change makes of an attached link', () => {
  let emulator: FakeEmulator
  const attach = (profile: string): Promise<AttachedLink> => {
    emulator = new FakeEmulator()
    return AttachedLink.start({ profile: loadProfile(profile), start: async () => emulator }, emulator.address)
  }

  it('values are on top of the profile: a timeline stands still where it is, until a profile is chosen again', async () => {
    const link = await attach('lte')
    emulator.timelineMs = 5_000
    await link.read()
    // Half of its period of 10 s: all the way down from 16 Mbit/s.
    expect(link.info().toClients.rateKbit).to.be.within(10_000, 10_100)
    expect(link.info().timelineSeconds).to.be.at.least(5)
    const still = await link.change({ direction: 'both', lossPercent: 1e-7 })
    expect(still.timelineSeconds).to.equal(null)
    expect(still.toClients.rateKbit).to.be.within(10_000, 16_000)
    expect(still.toClients.lossPercent).to.equal(0)
    expect(still.fromClients).to.deep.include({ delayMs: 32, jitterMs: 4, rateKbit: 6_000 })
    emulator.timelineMs = undefined
    const anew = await link.change({ direction: 'both', profile: 'lte', rateKbit: 0 })
    expect(anew.toClients).to.deep.include({ rateKbit: null, lossPercent: 0.1 })
    expect(anew.changes).to.equal(2)
  })

  it('nothing is wanted: nothing changes, and a timeline goes on', async () => {
    const link = await attach('lte')
    expect(await link.change({ direction: 'both' })).to.include({ changes: 0 })
    expect(emulator.profiles).to.deep.equal([])
  })

  it('they come faster than they are done: one after the other, and only so many wait', async () => {
    const link = await attach('clean')
    let release = () => {}
    emulator.hold = new Promise(resolve => {
      release = resolve
    })
    const waiting = Array.from({ length: LINK_CHANGE_LIMITS.waiting }, (_, i) =>
      link.change({ direction: 'both', profile: i % 2 === 0 ? 'wifi' : 'lte' }),
    )
    const refused = await link.change({ direction: 'both', delayMs: 1 }).catch((error: LinkChangeError) => error)
    expect(refused).to.include({ name: 'LinkChangeError', kind: 'busy' })
    release()
    expect((await Promise.all(waiting)).map(({ profile }) => profile)).to.deep.equal(emulator.profiles)
    expect(await link.change({ direction: 'both', delayMs: 1 })).to.include({ profile: 'lte' })
  })

  it('its process stands still while it is changed: the change holds as soon as anything is answered again', async () => {
    const link = await attach('clean')
    emulator.stopsAtChange = true
    const refused = link.change({ direction: 'both', delayMs: 7 }).catch((error: LinkChangeError) => error)
    expect(await refused).to.include({ name: 'LinkChangeError', kind: 'late' })
    expect(link.info()).to.include({ running: false, changes: 0 })
    emulator.isLate = false
    await link.read()
    expect(link.info()).to.include({ running: true, changes: 1 })
    expect(link.info().toClients.delayMs).to.equal(7)
  })

  it('its process has died: that is told, and nothing can be changed', async () => {
    const link = await attach('clean')
    emulator.isDead = true
    await link.read()
    expect(link.info().running).to.equal(false)
    const refused = await link.change({ direction: 'both', delayMs: 1 }).catch((error: LinkChangeError) => error)
    expect(refused).to.include({ name: 'LinkChangeError', kind: 'impossible' })
  })

  it('its process dies while it is changed: that is told in the same way', async () => {
    const link = await attach('clean')
    let release = () => {}
    emulator.hold = new Promise(resolve => {
      release = resolve
    })
    const refused = link.change({ direction: 'both', delayMs: 1 }).catch((error: LinkChangeError) => error)
    await new Promise(setImmediate)
    emulator.isDead = true
    release()
    expect(await refused).to.include({ name: 'LinkChangeError', kind: 'impossible' })
    expect(link.info()).to.include({ running: false, changes: 0 })
  })
})
