import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import fc from 'fast-check'
import { render } from 'ink-testing-library'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { CaptureRequest } from '../../../labs/kit/lab/types.ts'
import { themeFor } from '../../../labs/kit/ui/theme.ts'
import { CaptureApp } from '../../../labs/lab-03-protocol/capture/app.tsx'
import { type Browsing, pressed } from '../../../labs/lab-03-protocol/capture/browse.ts'
import { dissect } from '../../../labs/lab-03-protocol/capture/fields.ts'
import { CaptureFileError, readCaptureFile } from '../../../labs/lab-03-protocol/capture/file.ts'
import { showCapture } from '../../../labs/lab-03-protocol/capture/open.ts'
import { capturePages, openCapture, packetLines, rowLine } from '../../../labs/lab-03-protocol/capture/pages.ts'
import {
  Direction,
  decryptionSecrets,
  enhancedPacket,
  interfaceDescription,
  sectionHeader,
} from '../../../src/capture/pcapng.ts'
import { IpAddress } from '../../../src/ip/address.ts'
import { icmpEchoRequest } from '../../../src/ip/icmp.ts'
import { icmpv6EchoRequest } from '../../../src/ip/icmpv6.ts'
import { encodeUdpPacket } from '../../../src/ip/udp.ts'
import { columns } from '../../../src/text/columns.ts'
import { BlockWriter } from '../../capture/pcapng-writer.ts'
import { command } from '../../support/command.ts'
import { until } from '../../support/loopback.ts'
import { scratchFolder } from '../../support/scratch.ts'

const [SOURCE, DESTINATION] = ['10.89.0.2', '10.90.0.1'].map(text => IpAddress.parse(text))
const PING = icmpEchoRequest({ source: SOURCE, destination: DESTINATION, id: 7, seq: 2 }, new Uint8Array(56))
const UDP = { source: SOURCE, sourcePort: 5000, destination: DESTINATION, destinationPort: 443 }
const BACK = { source: DESTINATION, sourcePort: 443, destination: SOURCE, destinationPort: 5000 }
const INITIAL = Uint8Array.of(0xc3, 0, 0, 0, 1, 2, 0xaa, 0xbb, 1, 0xcc, ...new Uint8Array(40))
const SHORT = Uint8Array.of(0x60, 1, 2, 3)
/** How Ethernet begins, with an IPv4 packet behind it. */
const ETHERNET = Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00)

describe('labs/lab-03-protocol: a capture of one’s own', () => {
  let folder: string
  beforeEach(() => {
    folder = scratchFolder('masque-test-own-capture-')
  })

  const save = (...blocks: Uint8Array[]): string => {
    const file = join(folder, 'own.pcapng')
    writeFileSync(file, Buffer.concat(blocks))
    return file
  }
  const packet = (interfaceId: number, bytes: Uint8Array, more: object = {}): Uint8Array =>
    enhancedPacket({ interfaceId, timeUs: 1_000_000, direction: Direction.OUTBOUND, bytes, ...more })
  const header = sectionHeader({ application: 'test' })

  /** Two of a tunnel, and QUIC around it. */
  const whole = (...more: Uint8Array[]): string =>
    save(
      header,
      interfaceDescription({ name: 'tunnel a/0' }),
      interfaceDescription({ name: 'udp' }),
      ...more,
      packet(0, PING),
      packet(0, PING, { timeUs: 1_250_000, direction: Direction.INBOUND }),
      packet(1, encodeUdpPacket(UDP, INITIAL)),
      packet(1, encodeUdpPacket(BACK, SHORT)),
    )

  const show = async (file: string, more: Partial<CaptureRequest> = {}) => {
    const lines: string[] = []
    const problems: string[] = []
    const status = await showCapture({
      file,
      inTerminal: false,
      width: 79,
      print: printed => void lines.push(...printed.map(plainText)),
      problem: sentence => void problems.push(sentence),
      ...more,
    })
    return { status, lines, problems }
  }

  const fieldsOf = (linkType: number, bytes: Uint8Array, flows = new Set<string>()) =>
    Object.fromEntries((dissect(linkType, bytes, flows)?.fields ?? []).map(({ name, reference }) => [name, reference]))

  it('shows its packets with time, direction and length, and each of them byte by byte', async () => {
    const { status, lines, problems } = await show(whole())
    expect([status, problems]).to.deep.equal([0, []])
    expect(lines[0]).to.match(/own\.pcapng: 4 packets$/)
    expect(lines).to.include('1    0.000000 out    84  10.89.0.2 → 10.90.0.1 ICMP echo request seq 2')
    expect(lines).to.include('2    0.250000 in     84  10.89.0.2 → 10.90.0.1 ICMP echo request seq 2')
    expect(lines.join('\n')).to.match(/\n3 .* QUIC Initial 5000 → 443\n4 .* QUIC 1-RTT 443 → 5000\n/)
    const second = lines.findIndex(line => / 2 of 4$/.test(line))
    expect(lines[second + 1]).to.equal('at 0.250000 s, in, tunnel a/0, 84 bytes')
    expect(lines[second + 2]).to.equal(
      '0000  45 00 00 54 00 00 40 00 40 01 25 f4 0a 59 00 02'.replace('25 f4', hexPair(10)),
    )
    expect(lines[second + 3]).to.equal('      a  b  c  c  d  d  e  e  f  g  h  h  i  i  i  i')
    const rest = lines.slice(second)
    expect(rest.find(line => /^i /.test(line))).to.match(/^i Source Address +0a590002 +10\.89\.0\.2$/)
    expect(rest.find(line => /^h /.test(line))).to.match(/^h Header Checksum +[0-9a-f]{4} +right$/)
    expect(rest.find(line => /^k /.test(line))).to.match(/^k Type +08 +8: echo request$/)
    for (const line of lines) expect(columns(line), line).to.be.at.most(79)
  })

  const hexPair = (at: number): string => `${hex(PING[at])} ${hex(PING[at + 1])}`
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0')

  it('shows one packet alone when it is asked for, and says so when it is not there', async () => {
    const file = whole()
    const one = await show(file, { packet: 2 })
    expect(one.lines[0]).to.match(/2 of 4$/)
    expect(one.lines.filter(line => / of 4$/.test(line))).to.have.lengthOf(1)
    const { status, problems } = await show(file, { packet: 5 })
    expect([status, problems]).to.deep.equal([1, [`${file} has no packet 5: there are 4`]])
  })

  it('shows of QUIC what is not encrypted, and says where the rest can be seen, with secrets in the file and without', async () => {
    const flows = new Set<string>()
    expect(fieldsOf(101, encodeUdpPacket(BACK, SHORT), flows), 'it may be anything').to.include({ Data: '4 bytes' })
    expect(fieldsOf(101, encodeUdpPacket(UDP, INITIAL), flows)).to.include({
      'QUIC: first byte': 'long header, Initial',
      Version: 'QUIC version 1',
      'Destination CID': '2 bytes',
      encrypted: 'length, packet number, frames',
    })
    expect(fieldsOf(101, encodeUdpPacket(BACK, SHORT), flows)).to.include({
      'QUIC: first byte': 'short header, spin bit 1',
      encrypted: 'connection id, packet number, frames',
    })
    expect(openCapture(whole()).notes).to.have.lengthOf(1)
    expect(openCapture(whole()).notes[0]).to.match(
      /^2 packets are QUIC's.*not in the file.*--pcap-outer --pcap-secrets/,
    )
    const withSecrets = whole(decryptionSecrets(Buffer.from('CLIENT_RANDOM 00 00\n')))
    expect(openCapture(withSecrets).notes[0]).to.match(/secrets are in the file: Wireshark.*docs\/wireshark\.md/)
    expect(openCapture(save(header, interfaceDescription({ name: 'a' }), packet(0, PING))).notes).to.deep.equal([])
  })

  it('reads Ethernet and what Linux puts in its place, IPv6 with extension headers, and TCP', () => {
    const padding = new Uint8Array(6)
    expect(fieldsOf(1, Uint8Array.of(...ETHERNET, ...PING, ...padding))).to.include({
      'Source MAC': '02:00:00:00:00:02',
      EtherType: 'IPv4',
      Protocol: '1: ICMP',
      'behind the packet': 'padding?',
    })
    const tagged = Uint8Array.of(...ETHERNET.subarray(0, 12), 0x81, 0, 0, 5, 8, 0, ...PING)
    expect(fieldsOf(1, tagged)).to.include({ 'VLAN tag': 'VLAN 5', 'Sequence Number': '2' })
    expect(fieldsOf(113, Uint8Array.of(...new Uint8Array(14), 8, 0, ...PING))).to.include({ Identifier: '7' })
    expect(fieldsOf(276, Uint8Array.of(8, 0, ...new Uint8Array(18), ...PING))).to.include({ Identifier: '7' })
    const [source, destination] = ['fd00::1', 'fd00::2'].map(text => IpAddress.parse(text))
    const ping = icmpv6EchoRequest({ source, destination, id: 9, seq: 3 }, new Uint8Array(4))
    expect(fieldsOf(229, ping)).to.include({ 'Source Address': 'fd00::1', Type: '128: echo request', Data: '4 bytes' })
    const extended = Uint8Array.of(...ping.subarray(0, 40), 58, 0, 1, 4, 0, 0, 0, 0, ...ping.subarray(40))
    extended[6] = 60
    extended[5] += 8
    expect(fieldsOf(101, extended)).to.include({
      'Hdr Ext Len': '8 bytes',
      'Destination Options': '6 bytes',
      Identifier: '9',
    })
    const segment = [0, 80, 4, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12]
    const tcp = Uint8Array.of(...PING.subarray(0, 20), ...segment, ...new Uint8Array(50))
    tcp[9] = 6
    expect(fieldsOf(101, tcp)).to.include({
      'Header Checksum': 'wrong',
      'Source Port': '80',
      'Data Offset, Flags': '20 bytes, SYN ACK',
    })
  })

  it('gives every byte of any packet to one field, in any link layer, whatever is in it', () => {
    const start = fc.constantFrom(
      PING,
      encodeUdpPacket(UDP, INITIAL),
      Uint8Array.of(...ETHERNET, ...PING),
      new Uint8Array(),
    )
    const change = fc.tuple(fc.nat(60), fc.nat(255))
    const linkType = fc.constantFrom(1, 101, 113, 276)
    fc.assert(
      fc.property(start, fc.array(change, { maxLength: 5 }), fc.nat(110), linkType, (packet, changes, length, type) => {
        const bytes = Uint8Array.from(packet).subarray(0, length)
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte
        const fields = dissect(type, bytes, new Set())?.fields ?? []
        expect(fields.reduce((sum, field) => sum + field.length, 0)).to.equal(bytes.length)
      }),
      { numRuns: 500 },
    )
  })

  it('says where the bytes of a packet end before its headers do', async () => {
    expect(fieldsOf(101, PING.subarray(0, 18))).to.include({ 'Destination Address': 'cut off: 2 of 4 bytes' })
    const writer = new BlockWriter('big')
    const file = save(writer.section(), writer.interface(101), writer.packet(0, 0n, PING.subarray(0, 30), [], 84))
    const { lines } = await show(file)
    expect(lines.join('\n')).to.match(/1 +0\.000000 +30\/84 +10\.89\.0\.2 → 10\.90\.0\.1 \(IPv4 total length differs/)
  })

  it('says of a file that it cannot show what it is, and what to do', async () => {
    mkdirSync(join(folder, 'folder'))
    const cases: [string, RegExp][] = [
      [join(folder, 'missing'), /missing is not there: .*--pcap FILE$/],
      [join(folder, 'folder'), /folder is no ordinary file: name one that --pcap FILE has written$/],
      [save(Buffer.from('{"a":1}')), /own\.pcapng is no pcapng file, for it begins with 7b226122 instead of 0a0d0d0a/],
    ]
    for (const [file, message] of cases) {
      expect(() => readCaptureFile(file)).to.throw(CaptureFileError, message)
    }
    const { status, problems } = await show(join(folder, 'missing'))
    expect([status, problems.length]).to.deep.equal([1, 1])
  })

  it('shows what can be shown of a file that is cut off, too long, empty, or of another link layer, and says so', () => {
    const cut = save(header, interfaceDescription({ name: 'a' }), packet(0, PING), packet(0, PING).subarray(0, 50))
    const { notes, rows } = openCapture(cut)
    expect([notes, rows.length]).to.deep.equal([
      ['It is cut off or damaged, and was read as far as that: it ends inside of a block, at byte 208.'],
      1,
    ])
    const long = readCaptureFile(cut, 250)
    expect([long.readLength, long.packets.length]).to.deep.equal([250, 1])
    expect(openCapture(save(header)).notes).to.deep.equal([
      'There is no packet in it: send something through the tunnel while it is captured.',
    ])
    const writer = new BlockWriter('little')
    const other = save(writer.section(), writer.interface(127), writer.packet(0, 0n, PING), writer.packet(5, 0n, PING))
    const pages = openCapture(other)
    expect(pages.notes.join('\n')).to.match(/^1 packet is not shown, .*\n1 packet is of link type 127, .*--pcap FILE/)
    expect(
      packetLines(pages, 0, { width: 79, marks: themeFor().marks, byteRows: 4 }).map(plainText).join('\n'),
    ).to.match(/a Packet +45000054[0-9a-f]+… +link type 127/)
  })

  it('says of a file that is too long and damaged both, and rounds a length up of which it has not read all', () => {
    const damaged = save(header, interfaceDescription({ name: 'a' }), packet(0, PING), Buffer.alloc(100))
    const [long, why] = capturePages(readCaptureFile(damaged, 250)).notes
    expect(long).to.match(/^Of its 1 MiB only the first 0 were read/)
    expect(why).to.match(/^It is cut off or damaged.*: it has a block of 0 bytes, at byte 208\.$/)
    const whole = save(header, interfaceDescription({ name: 'a' }), packet(0, PING), packet(0, PING))
    expect(capturePages(readCaptureFile(whole, 250)).notes, 'reading has cut it off').to.have.lengthOf(1)
  })

  it('gives nothing of a file to the terminal that it would obey', async () => {
    const evil = join(folder, '\u001b[2Jown.pcapng')
    expect((await show(evil)).problems[0]).to.include('/?[2Jown.pcapng is not there')
    writeFileSync(evil, 'x')
    expect((await show(evil)).problems[0]).to.include('/?[2Jown.pcapng is no pcapng file')
    writeFileSync(evil, Buffer.concat([header, interfaceDescription({ name: 'a' }), packet(0, PING)]))
    expect((await show(evil, { packet: 2 })).problems[0]).to.include('/?[2Jown.pcapng has no packet 2')
    expect((await show(evil)).lines.join())
      .to.include('/?[2Jown.pcapng: 1 packet')
      .and.not.to.include('\u001b')
    const name = `x\u001b[2J\u202e\u0007${'漢'.repeat(60)}`
    const pages = openCapture(save(header, interfaceDescription({ name }), packet(0, PING)))
    expect(pages.rows[0].from).to.match(/^x \[2J 漢+…$/)
    expect(columns(pages.rows[0].from)).to.be.at.most(41)
    const late = save(header, interfaceDescription({ name }), packet(0, PING), packet(0, PING, { timeUs: 2 ** 63 }))
    for (const width of [40, 79]) {
      expect(columns(plainText(rowLine(pages, 0, width)))).to.be.at.most(width)
      expect(columns(plainText(rowLine(openCapture(late), 1, width)))).to.be.at.most(width)
    }
  })

  it('goes through list and packets by keys, and stays inside of both', () => {
    const sight = { packets: 3, listRows: 2, packetRows: 10, packetLines: 14 }
    const pressing = (...keys: string[]): Browsing | undefined =>
      keys.reduce<Browsing | undefined>((state, key) => state && pressed(state, key, sight), {
        selected: 0,
        isOpen: false,
        scroll: 0,
      })
    expect(pressing('j', 'j', 'j', 'j', 'k')).to.include({ selected: 1 })
    expect(pressing(' ', ' ', 'b')).to.include({ selected: 0 })
    expect(pressing('G', 'enter', 'j')).to.deep.equal({ selected: 2, isOpen: true, scroll: 1 })
    expect(pressing('enter', ' ', ' ')).to.include({ scroll: 4 })
    expect(pressing('enter', 'j', ']', ']', ']')).to.deep.equal({ selected: 2, isOpen: true, scroll: 0 })
    expect(pressing('enter', ']', '[', '[', 'escape')).to.deep.equal({ selected: 0, isOpen: false, scroll: 0 })
    expect(pressing('enter', 'q')).to.equal(undefined)
    const empty = { ...sight, packets: 0 }
    expect(pressed({ selected: 0, isOpen: false, scroll: 0 }, 'enter', empty)).to.include({ isOpen: false })
    expect(pressed({ selected: 0, isOpen: false, scroll: 0 }, 'G', empty)).to.include({ selected: 0 })
  })

  it('draws the list, opens a packet from it, and goes back', async () => {
    const file = whole()
    const app = <CaptureApp file={file} pages={openCapture(file)} theme={themeFor({ LANG: 'C' })} />
    const { stdin, lastFrame, unmount } = render(app)
    const shows = (what: RegExp) => until(() => what.test(lastFrame() ?? ''))
    try {
      await shows(/> 1 .*echo request seq 2\n/)
      stdin.write('j')
      await shows(/> 2 /)
      stdin.write('\r')
      await shows(/at 0\.250000 s, in, tunnel a\/0, 84 bytes/)
      stdin.write(']')
      await shows(/at 0\.000000 s, out, udp, 78 bytes/)
      stdin.write('\u001b')
      await shows(/> 3 /)
    } finally {
      unmount()
    }
  })

  it('is opened by a command, of which what makes no sense is refused', async () => {
    const file = whole()
    const env = { ...process.env, MASQUE_LAB_HOME: folder }
    const { status, stdout } = await command(['lab', '3', '--capture', file, '--plain', '--packet', '1'], { env })
    expect(status).to.equal(0)
    expect(stdout).to.match(/^10\.89\.0\.2 → 10\.90\.0\.1 ICMP echo request id 7 seq 2 +1 of 4\n/)
    const other = await command(['lab', '1', '--capture', file], { env })
    expect([other.status, other.stderr]).to.deep.equal([
      2,
      'lab 1 shows no captures: npm run lab -- 3 --capture FILE does\n',
    ])
  })
})
