import { spawn } from 'node:child_process'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import {
  type ControlOrder,
  type ControlResult,
  ControlServer,
  runningLinks,
  type Transport,
  tell,
} from '../../../src/cli/netem/control.ts'
import { changeOf, changeRunningLink } from '../../../src/cli/netem/set.ts'
import { EmulatorError } from '../../../src/link/emulator/udp-socket.ts'
import { loadProfile } from '../../../src/link/profile/load-profile.ts'
import { bindUdp, LOOPBACK } from '../../../src/net/udp.ts'
import { RUN } from '../../support/command.ts'

const values = (given: Record<string, string>, more: Partial<ControlOrder> = {}): ControlOrder =>
  ({ order: 'values', directions: ['up', 'down'], attachments: [], values: given, ...more }) as ControlOrder

describe('what netem set makes of a link', () => {
  const lte = loadProfile('lte')

  it('is what was said, from the values of that moment; the timeline stands still', () => {
    const { profile, lines } = changeOf(lte, values({ delay: '50ms' }, { directions: ['up'] }), 2000)
    expect(profile.up.delayMs).to.equal(50)
    expect(profile.down.delayMs).to.equal(32)
    expect(profile.timeline).to.deep.equal([])
    // The rate has moved since the beginning, and stays where it is.
    expect(profile.down.rate?.bitsPerSecond).not.to.equal(lte.down.rate?.bitsPerSecond)
    expect(lines).to.deep.equal([
      'up delay: 32 ms -> 50 ms',
      'the timeline stands still at 2 s; --profile lte begins it anew',
    ])
  })

  it('is another profile, with what is different', () => {
    const { profile, lines } = changeOf(lte, { order: 'profile', profile: 'clean' }, undefined)
    expect(profile).to.deep.equal(loadProfile('clean'))
    expect(lines)
      .to.include(`now clean: ${loadProfile('clean').title}`)
      .and.include('down rate: 16 Mbit/s -> -')
  })

  it('is one attachment of two, and no third', () => {
    const handover = loadProfile('handover-wifi-lte')
    const { profile } = changeOf(handover, values({ loss: '9%' }, { attachments: [1] }), undefined)
    expect(profile.up).to.deep.equal(handover.up)
    expect(profile.second?.down.loss).to.deep.equal({ model: 'random', rate: 0.09, correlation: 0 })
    expect(() => changeOf(lte, values({ loss: '9%' }, { attachments: [1] }), undefined)).to.throw(
      EmulatorError,
      'no second attachment',
    )
  })

  it('describes what is done now', () => {
    expect(changeOf(lte, { order: 'describe' }, undefined).lines).to.include('up delay: 32 ms')
    expect(changeOf(loadProfile('clean'), { order: 'describe' }, 5).lines).to.include('nothing is done to packets')
  })
})

for (const transport of process.platform === 'win32' ? (['tcp'] as const) : (['unix', 'tcp'] as const)) {
  describe(`the control socket of a link, ${transport}`, () => {
    let folder: string
    let server: ControlServer
    const orders: ControlOrder[] = []
    const link = { profile: 'lte', addresses: ['127.0.0.1:5433'], to: '127.0.0.1:4433' }
    const obey = async (order: ControlOrder): Promise<ControlResult> => {
      orders.push(order)
      if (order.order === 'profile') throw new EmulatorError(`no '${order.profile}'`)
      return { link, lines: ['done'] }
    }

    beforeEach(async () => {
      orders.length = 0
      folder = join(mkdtempSync(join(tmpdir(), 'masque-set-')), 'links')
      server = await ControlServer.open(obey, { folder, transport: transport as Transport })
    })
    afterEach(() => {
      server.close()
      rmSync(join(folder, '..'), { recursive: true, force: true })
    })

    it('takes orders, finds the link by its id, and is open to this user alone', async () => {
      expect(await runningLinks(folder)).to.deep.equal([{ id: process.pid, ...link }])
      const order = values({ delay: '5ms' })
      expect(await tell(server.id, order, folder)).to.deep.equal({ link, lines: ['done'] })
      expect(orders.at(-1)).to.deep.equal(order)
      const failed = await tell(server.id, { order: 'profile', profile: 'x' }, folder).catch((error: Error) => error)
      expect(failed).to.be.instanceOf(EmulatorError).with.property('message', "no 'x'")
      if (process.platform === 'win32') return
      expect(statSync(folder).mode & 0o777).to.equal(0o700)
      for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).to.equal(0o600)
    })

    it('leaves nothing when it is closed', () => {
      server.close()
      expect(readdirSync(join(folder, '..'))).to.deep.equal([])
    })

    it('waits for nobody when it is closed: neither for an order, nor until a client with its answer hangs up', async () => {
      const open = async (bytes: string) => {
        const socket = connect({ ...endpoint(folder), allowHalfOpen: true }).on('error', () => {})
        await once(socket, 'connect')
        socket.write(bytes)
        return socket
      }
      const [silent, answered] = [await open('{'), await open('x\n')]
      expect(JSON.parse(String((await once(answered, 'data'))[0]))).to.include({ ok: false })
      const began = performance.now()
      await server.close()
      expect(performance.now() - began).to.be.below(3000)
      for (const socket of [silent, answered]) socket.destroy()
    })

    it('answers what is no order with a sentence, ends what is too long, and goes on', async () => {
      for (const line of ['{}\n', 'x\n', 'null\n', '{"order":"values","values":{"delay":5}}\n', '{"order":"rm"}\n']) {
        const message = JSON.parse(await raw(folder, line)).message
        expect(message, line).to.match(/no order that this link knows|not allowed/)
      }
      expect(await raw(folder, 'x'.repeat(100_000))).to.equal('')
      expect(orders).to.deep.equal([])
      expect(await runningLinks(folder)).to.have.length(1)
    })

    if (transport === 'tcp') {
      it('obeys nobody without the secret', async () => {
        for (const token of ['', 'x'.repeat(64), undefined, 5]) {
          const said = await raw(folder, `${JSON.stringify({ order: 'describe', token })}\n`)
          expect(JSON.parse(said)).to.deep.equal({ ok: false, message: 'not allowed' })
        }
        expect(orders).to.deep.equal([])
      })
    }
  })
}

/** Where the only link in this folder listens. */
function endpoint(folder: string): { path: string } | { port: number; host: string } {
  const [name] = readdirSync(folder)
  const path = join(folder, name)
  return name.endsWith('.sock') ? { path } : { port: JSON.parse(readFileSync(path, 'utf8')).port, host: '127.0.0.1' }
}

/** What comes back for some bytes, without a secret. */
function raw(folder: string, bytes: string): Promise<string> {
  const socket = connect(endpoint(folder))
  return new Promise(resolve => {
    let text = ''
    socket.setEncoding('utf8')
    socket.on('error', () => {}) // it may be reset
    socket.on('data', (more: string) => {
      text += more
    })
    socket.on('close', () => resolve(text))
    socket.write(bytes)
  })
}

describe('the folder of the control sockets', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-set-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  it('removes what killed ones have left before it', async () => {
    const gone = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
    await once(gone, 'exit')
    const left = join(folder, 'left')
    mkdirSync(left, { mode: 0o700 })
    for (const name of [`${gone.pid}.sock`, `${gone.pid}.json`, `${process.ppid}.json`, 'notes'])
      writeFileSync(join(left, name), '')
    const server = await ControlServer.open(async () => ({}) as never, { folder: left })
    expect(readdirSync(left).sort()).to.deep.equal([`${process.pid}.sock`, `${process.ppid}.json`, 'notes'].sort())
    await server.close()
  })

  it('is not used when others may write to it', async function () {
    if (process.platform === 'win32') this.skip()
    mkdirSync(join(folder, 'open'), { mode: 0o777 })
    const { chmodSync } = await import('node:fs')
    chmodSync(join(folder, 'open'), 0o777)
    const error = await ControlServer.open(async () => ({}) as never, { folder: join(folder, 'open') }).catch(
      (e: Error) => e,
    )
    expect(error)
      .to.be.instanceOf(EmulatorError)
      .with.property('message')
      .that.matches(/not a folder of yours alone/)
  })

  it('is tidied: what a killed link left is no link', async () => {
    // Nobody listens at a port that has just been free, or behind a file that is no socket.
    writeFileSync(join(folder, '99999.json'), JSON.stringify({ port: 1, token: 'x' }))
    expect(await runningLinks(folder)).to.deep.equal([])
    expect(readdirSync(folder)).to.deep.equal([])
  })
})

describe('npm run netem -- set', () => {
  it('changes a link that runs, at once', async () => {
    const echo = await bindUdp(LOOPBACK)
    echo.on('message', (payload, from) => echo.send(payload, from.port, from.address))
    const child = spawn(
      process.execPath,
      [RUN, 'netem', 'run', 'clean', '--to', `127.0.0.1:${echo.address().port}`, '--json', '--duration', '40'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const client = await bindUdp(LOOPBACK)
    try {
      let said = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      while (!said.includes('\n')) await once(child.stdout, 'data')
      const { id, address } = JSON.parse(said.split('\n')[0])
      // Opens the way, whatever it costs.
      await roundTripMs(client, address)
      const lines = await changeRunningLink(String(id), {
        direction: 'both',
        attachment: 'both',
        values: { delay: '150ms' },
      })
      expect(lines.slice(1)).to.deep.equal(['  up delay: - -> 150 ms', '  down delay: - -> 150 ms'])
      expect(await roundTripMs(client, address)).to.be.at.least(299)
      const unknown = await changeRunningLink('127.0.0.1:1', {
        direction: 'both',
        attachment: 'both',
        values: {},
      }).catch((e: Error) => e)
      expect(unknown)
        .to.have.property('message')
        .that.matches(/no link has the id or the address '127\.0\.0\.1:1'/)
      child.kill('SIGINT')
      const [status] = await once(child, 'close')
      expect(status).to.equal(0)
      expect(said).to.contain('"event":"set"').and.contain('up delay: - -> 150 ms')
      expect((await runningLinks()).map(link => link.id)).to.not.include(id)
    } finally {
      child.kill('SIGKILL')
      client.close()
      echo.close()
    }
  })
})

async function roundTripMs(socket: Socket, to: { host: string; port: number }): Promise<number> {
  const began = performance.now()
  socket.send('x', to.port, to.host)
  await once(socket, 'message')
  return performance.now() - began
}
