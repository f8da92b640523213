import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { encodeAddressAssign } from '../../src/connect-ip/address-assign.ts'
import { encodeRouteAdvertisement } from '../../src/connect-ip/route-advertisement.ts'
import { icmpEchoReplyTo } from '../../src/ip/icmp.ts'
import { IpPrefix } from '../../src/ip/prefix.ts'
import { freePort } from '../../src/testbed/free-port.ts'
import { bytes, OK } from '../http3/conversation.ts'
import { testCertificates } from '../support/certificates.ts'
import { command, type Ended } from '../support/command.ts'
import { closeHostilePeers, type HostileProxy, startHostileProxy } from '../support/hostile-peer.ts'
import { closeLoopback, startServer } from '../support/loopback.ts'

/** Grants every tunnel, and answers the first pings of all that come, as many as it is told. */
async function startSlowProxy(): Promise<HostileProxy & { answer(count: number): void }> {
  const replies: (() => void)[] = []
  let answered = 0
  const proxy = await startHostileProxy({
    onConnection: peer => {
      peer.h3.start()
      peer.recorder.onDatagramArrived = datagram => {
        const request = datagram.subarray(2)
        if (request[0] >> 4 !== 4) return
        const reply = Uint8Array.of(0, 0, ...icmpEchoReplyTo(request))
        replies.push(() => peer.quic.sendDatagram(reply))
      }
    },
    onRequest: (peer, streamId) => {
      peer.h3.respond(streamId, OK)
      const assigned = encodeAddressAssign([
        { requestId: 1n, prefix: IpPrefix.parse('10.0.0.2') },
        { requestId: 2n, prefix: IpPrefix.parse('::/128') },
      ])
      const routes = encodeRouteAdvertisement([{ range: IpPrefix.parse('10.0.0.0/8').toRange(), protocol: 0 }])
      peer.h3.sendData(streamId, bytes(assigned, routes))
      peer.flush()
    },
  })
  return {
    ...proxy,
    answer(count) {
      while (answered < Math.min(count, replies.length)) replies[answered++]()
    },
  }
}

describe('the commands', function () {
  // Each starts a process, which takes a while on a busy machine.
  this.timeout(180_000)
  let directory: string

  // All at once: what takes time is that each process loads the program.
  const started: Record<string, Promise<Ended>> = {}

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), 'masque-test-cli-'))
    const files = await testCertificates()
    const proxy = await startServer()
    const nobodys = await freePort()
    const client = (name: string, port: number, more = ''): string =>
      file(name, `proxy.address = "127.0.0.1:${port}"\ntls.ca = "${files.ca}"\nlog.level = "silent"\n${more}`)
    const server = (name: string, port: number, api = 'api.enabled = false\n'): string => {
      const tls = `[tls]\ncertificate = "${files.server}"\nkey = "${files.serverKey}"\n`
      return file(name, `listen.port = ${port}\n${api}pool.ipv4 = "10.89.0.0/24"\n${tls}`)
    }
    started.functional = command(['functional'])
    started.nobody = command(['functional', '-c', client('nobody.toml', nobodys)])
    const pings = ['--ping', '10.90.0.1', '--ping', 'fd00:90::1', '--count', '1', '--json']
    const advertise = '[[advertise]]\nprefix = "10.20.0.0/16"\n'
    started.client = command(['client', '-c', client('client.toml', proxy.address.port, advertise), ...pings])
    started.checked = command(['client', '-c', client('checked.toml', nobodys), '--check'])
    started.unchecked = command(['client', '-c', file('unchecked.toml', 'tls.ca = "none.pem"\n'), '--check'])
    const env = (MASQUE_LOG: string) => ({ env: { ...process.env, MASQUE_LOG } })
    started.wordy = command(
      ['client', '-c', client('wordy.toml', proxy.address.port), ...pings],
      env('warn,client=info'),
    )
    started.misnamed = command(['server', '-c', server('misnamed.toml', 0), '--check'], env('quick=debug'))
    const [silent, slow] = [await startSlowProxy(), await startSlowProxy()]
    const patience = ['--ping', '10.0.0.1', '--timeout', '50', '--json', '--count']
    started.unanswered = command(['client', '-c', client('silent.toml', silent.address.port), ...patience, '1'])
    started.late = command(['client', '-c', client('late.toml', slow.address.port), ...patience, '1000000'], {
      onOutput(text, interrupt) {
        // Each answer is sent when the client has said that it waits for it no longer: then it is late, however slow anybody is.
        slow.answer(text.split('"no-pong"').length - 1)
        if (text.includes('"late-pong"')) interrupt()
      },
    })
    // One that asks for IPv6 would refuse such a payload; this one gets IPv6 unasked.
    const unasked = 'quic.max_udp_payload = 1200\ntunnel.request_addresses = ["ipv4"]\n'
    const narrow = client('narrow.toml', proxy.address.port, unasked)
    started.narrow = command(['client', '-c', narrow])
    started.narrowPing = command(['client', '-c', narrow, '--ping', '10.90.0.1'])
    started.server = command(['server', '-c', server('free.toml', 0)], {
      onOutput(text, interrupt) {
        if (/Ctrl-C stops it/.test(text) && !/closing/.test(text)) interrupt()
      },
    })
    started.linked = command(
      ['server', '-c', server('linked.toml', 0, 'api.port = 0\n'), '--live', '--link', 'wifi', '--link-port', '0'],
      {
        onOutput(text, interrupt) {
          if (/Ctrl-C stops it/.test(text) && !/closing/.test(text)) interrupt()
        },
      },
    )
    started.unlinked = command(['server', '-c', server('unlinked.toml', 0), '--link', 'nowhere'])
    started.taken = command(['server', '-c', server('taken.toml', proxy.address.port)])
    started.wrong = command(['server', '-c', file('wrong.toml', 'listen.prot = 1\n')])
  })

  after(async () => {
    await Promise.all(Object.values(started))
    await closeLoopback()
    await closeHostilePeers()
    rmSync(directory, { recursive: true, force: true })
  })

  const file = (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }

  it('functional prints the checklist, each line of it ok, and ends with status 0', async () => {
    const { status, stdout, stderr } = await started.functional
    expect(stderr).to.equal('')
    expect(status).to.equal(0)
    for (const line of [
      /ok {4}server connection created/,
      /ok {4}test packet sent \(540 bytes\)/,
      /ok {4}packet read \(540 bytes\)/,
      /ok {4}size matches/,
      /ok {4}content matches/,
      /ok {4}connection closed/,
      /ok {4}write after close returns an error/,
      /ok {4}read after close returns an error/,
      /QUIC handshake [0-9.]+ ms, session [0-9.]+ ms/,
      /all 8 steps passed/,
    ]) {
      expect(stdout).to.match(line)
    }
  })

  it('functional fails, with status 1 and without the rest of the story, when there is no proxy', async () => {
    const { status, stdout, stderr } = await started.nobody
    expect(status).to.equal(1)
    expect(stdout).to.match(/FAIL {2}server connection created: nobody listens at 127\.0\.0\.1/)
    expect(stdout).not.to.match(/test packet sent/)
    expect(stderr).to.match(/failed after 0 of 8 steps/)
  })

  it('client pings through a tunnel and prints one JSON object a line', async () => {
    const { status, stdout } = await started.client
    expect(status).to.equal(0)
    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines.map(line => line.event)).to.deep.equal(['tunnel', 'pong', 'pong'])
    expect(lines.slice(1).map(line => line.hopCount)).to.deep.equal([63, 63])
    expect(lines[0].advertised).to.deep.equal(['10.20.0.0-10.20.255.255'])
  })

  it('client --check looks at its configuration and the files in it, and sends nothing', async () => {
    const [right, wrong] = [await started.checked, await started.unchecked]
    expect(right).to.include({ status: 0, stderr: '' })
    expect(right.stdout).to.match(/checked\.toml: the configuration is valid\n$/)
    expect(wrong).to.include({ status: 1, stdout: '' })
    expect(wrong.stderr).to.match(/^\S*none\.pem: [^\n]*\n$/)
  })

  it('client and server log what MASQUE_LOG says, and say what is wrong with it', async () => {
    const [wordy, misnamed] = [await started.wordy, await started.misnamed]
    expect(wordy.status).to.equal(0)
    const lines = wordy.stderr
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(lines.map(({ component, msg }) => `${component}: ${msg}`)).to.deep.equal(['client: tunnel is up'])
    expect(misnamed).to.include({ status: 1, stdout: '' })
    expect(misnamed.stderr).to.match(/^MASQUE_LOG: quick: unknown key, did you mean quic\?; allowed here: .*\n$/)
  })

  it('client waits for replies as long as it is told, and tells of those that come later', async () => {
    const linesOf = ({ stdout }: Ended) =>
      stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    const lines = linesOf(await started.late)
    expect(lines.map(({ event }) => event)).to.not.include('pong')
    const [first, late, ...more] = lines.filter(({ seq }) => seq === 1)
    expect(first).to.include({ event: 'no-pong', reason: 'ping 10.0.0.1: no reply within 50 ms' })
    expect(late).to.include({ event: 'late-pong' })
    expect(late.rttMs).to.be.greaterThan(50)
    expect(more).to.deep.equal([])
    const unanswered = await started.unanswered
    expect(linesOf(unanswered).map(({ event }) => event)).to.deep.equal(['tunnel', 'no-pong'])
    expect(unanswered.status).to.equal(1)
  })

  it('CIP-33 client whose tunnel is too narrow for IPv6 says why it has ended, with status 1', async () => {
    for (const { status, stdout, stderr } of await Promise.all([started.narrow, started.narrowPing])) {
      expect(stderr).to.match(/the tunnel does not carry 1280 bytes: its MTU is 1166, because of .*max_udp_payload/)
      expect(stderr.trim()).not.to.include('\n')
      expect(stdout)
        .to.match(/^MTU {9}1166 bytes$/m)
        .and.not.to.match(/address to send from/)
      expect(status).to.equal(1)
    }
  })

  it('server runs until it is interrupted, and then ends with status 0', async () => {
    const { status, stdout } = await started.server
    expect(stdout).to.match(/proxy {3}https:\/\/127\.0\.0\.1:\d+\/\.well-known\/masque\/ip\//)
    expect(stdout).to.match(/closing the tunnels/)
    expect(status).to.equal(0)
  })

  it('server --link has an emulated link in front of it, and prints who may change it: whoever has the address of the page', async () => {
    const { status, stdout, stderr } = await started.linked
    expect(stdout, stderr).to.match(/^link {4}127\.0\.0\.1:[1-9]\d*, wifi$/m)
    expect(stdout).to.match(/^live {4}http:\/\/127\.0\.0\.1:\d+\/live\/#token=[0-9a-f]{48}$/m)
    expect(stderr).to.not.match(/token=/)
    expect(status).to.equal(0)
    const unlinked = await started.unlinked
    expect(unlinked.status).to.equal(1)
    expect(unlinked.stderr).to.match(/^nowhere: there is no such profile; [^\n]*\n$/)
  })

  it('server says in a sentence what is wrong with its configuration, with status 1', async () => {
    const { status, stderr } = await started.wrong
    expect(status).to.equal(1)
    expect(stderr).to.match(/wrong\.toml: listen\.prot: unknown key, did you mean port\?/)
    expect(stderr).not.to.match(/\n\s+at /)
  })

  it('server says in a sentence that its port is taken, with status 1', async () => {
    const { status, stderr } = await started.taken
    expect(status).to.equal(1)
    expect(stderr.trim()).to.match(/^UDP 127\.0\.0\.1:\d+ is already in use: stop the other server/)
  })
})

describe('server --check', function () {
  this.timeout(180_000)

  it('says what is wrong with the certificate and its key, as the server would at its start', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'masque-test-check-'))
    const files = await testCertificates()
    const check = (name: string, key: string) => {
      const configuration = join(directory, name)
      const tls = `[tls]\ncertificate = "${files.server}"\nkey = "${key}"\n`
      writeFileSync(configuration, `listen.port = 0\npool.ipv4 = "10.89.0.0/24"\n${tls}`)
      return command(['server', '-c', configuration, '--check'])
    }
    const [own, foreign] = [
      await check('own.toml', files.serverKey),
      await check('foreign.toml', files.clients.client.key),
    ]
    rmSync(directory, { recursive: true, force: true })
    expect(own).to.include({ status: 0, stderr: '' })
    expect(foreign).to.include({ status: 1, stdout: '' })
    expect(foreign.stderr).to.match(/^\S+: this key does not belong to the certificate .*; give the pair[^\n]*\n$/)
  })
})
