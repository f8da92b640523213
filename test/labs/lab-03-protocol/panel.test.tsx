import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { render } from 'ink-testing-library'
import { plainText } from '../../../labs/kit/lab/text.ts'
import type { PanelProps } from '../../../labs/kit/lab/types.ts'
import { type ByteView, MESSAGES_KEY, showMessage } from '../../../labs/lab-03-protocol/byte-view.ts'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import datagrams from '../../../labs/lab-03-protocol/mutants/datagrams.ts'
import { Bytes } from '../../../labs/lab-03-protocol/ui.tsx'
import { columns } from '../../../src/text/columns.ts'
import { Scratch } from '../grade-lab.ts'
import { panelProps } from '../kit/panel-props.ts'

const ADDRESS = {
  title: 'decodeAddressAssign: one IPv4 address',
  bytes: Uint8Array.of(0x05, 0x04, 0x0a, 0x59, 0x01, 0x02, 0x20),
  fields: [
    { name: 'Request ID', length: 1, reference: '5n', student: '5n' },
    { name: 'IP Version', length: 1, reference: '4', student: '4' },
    { name: 'IP Address', length: 4, reference: '10.89.1.2', student: '10.89.1.2' },
    { name: 'IP Prefix Length', length: 1, reference: '32', student: '2' },
  ],
}

/** What the panel gets when a check has shown these messages. */
const props = (messages: readonly ByteView[], more: Partial<PanelProps> = {}) =>
  panelProps({ [MESSAGES_KEY]: messages }, more)

function shown(...messages: Parameters<typeof showMessage>[1][]): readonly ByteView[] {
  let latest: unknown
  const live = { show: (_: string, value: unknown) => (latest = value) }
  for (const message of messages) showMessage(live, message)
  return JSON.parse(JSON.stringify(latest)) as ByteView[]
}

describe('labs/lab-03-protocol: the panel', () => {
  it("shows each byte with its field, and the reference's reading beside the student's, also without colours", () => {
    const lines = Bytes.lines(props(shown(ADDRESS))).map(plainText)
    expect(lines[0]).to.equal('decodeAddressAssign: one IPv4 address')
    expect(lines[1]).to.equal('0000  05 04 0a 59 01 02 20')
    expect(lines[2]).to.equal('      a  b  c  c  c  c  d')
    expect(lines[3]).to.match(/field +bytes +reference +yours/)
    expect(lines[6]).to.match(/^c IP Address +0a590102 +10\.89\.1\.2 +10\.89\.1\.2 +\+$/)
    expect(lines[7]).to.match(/^d IP Prefix Length +20 +32 +2 +x$/)
  })

  it('draws with Ink what its lines say', () => {
    const given = props(shown(ADDRESS))
    const { lastFrame, unmount } = render(<Bytes {...given} />)
    const drawn = (lastFrame() ?? '').split('\n').map(line => line.replace(/\u001b\[[0-9;]*m/g, '').trimEnd())
    expect(drawn).to.deep.equal(Bytes.lines(given).map(plainText))
    unmount()
  })

  it('keeps within the columns and rows that it is given, also with long messages', () => {
    const long = {
      ...ADDRESS,
      bytes: new Uint8Array(1400),
      fields: [...ADDRESS.fields, ...ADDRESS.fields, ...ADDRESS.fields],
    }
    for (const [width, rows] of [
      [78, 20],
      [40, 8],
      [120, 30],
    ] as const) {
      const lines = Bytes.lines(props(shown(long), { width, rows }))
      expect(lines.length).to.be.at.most(rows)
      for (const line of lines) expect(columns(plainText(line))).to.be.at.most(width)
      expect(lines.map(plainText).join('\n')).to.match(/more bytes/)
    }
  })

  it('shows the field that differs even when there is no room for all', () => {
    const fields = Array.from({ length: 20 }, (_, i) => ({
      name: `field ${i}`,
      length: 1,
      reference: '0',
      student: i === 17 ? '1' : '0',
    }))
    const lines = Bytes.lines(props(shown({ title: 'many', bytes: new Uint8Array(20), fields }), { rows: 10 }))
    expect(lines.map(plainText).join('\n')).to.include('field 17')
  })

  it('goes step by step through the messages, in the order in which the check had them', () => {
    const messages = shown({ ...ADDRESS, title: 'first' }, { ...ADDRESS, title: 'second' })
    expect(Bytes.steps?.(props(messages))).to.equal(2)
    expect(plainText(Bytes.lines(props(messages))[0])).to.match(/^first +1 of 2$/)
    expect(plainText(Bytes.lines(props(messages, { step: 1 }))[0])).to.match(/^second +2 of 2$/)
  })

  it('shows no message that is all well when the check has stopped at something else', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve()
      const file = join(scratch.exercises, 'varint.ts')
      const code = readFileSync(file, 'utf8').replace(/(varintLength.*\n) {2}if .* throw .*\n/, '$1')
      writeFileSync(file, code)
      const { passed, live, feedback } = await scratch.check('varint')
      expect(feedback.expected).to.match(/^varintLength.* to throw/)
      expect(live.shown).to.have.property(MESSAGES_KEY)
      expect(Bytes.lines(props([], { live, passed }))).to.deep.equal([])
      expect(Bytes.lines(props([], { live, passed, running: true }))).to.not.deep.equal([])
    } finally {
      scratch.remove()
    }
  })

  it('shows nothing before a check has run', () => {
    expect(Bytes.lines(props([]))).to.deep.equal([])
  })

  it('marks nothing as wrong in a message that is rightly refused', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve()
      const { passed, live } = await scratch.check('ipv4')
      expect(passed).to.equal(true)
      const steps = Array.from({ length: Bytes.steps?.(props([], { live, passed })) ?? 1 }, (_, step) => step)
      const lines = steps.flatMap(step => Bytes.lines(props([], { live, step, passed })).map(plainText)).join('\n')
      expect(lines)
        .to.match(/no whole header.*MalformedError +MalformedError +\+/)
        .and.not.match(/ x$/m)
    } finally {
      scratch.remove()
    }
  })

  it('gets its messages from the checks: the misread field is marked', async () => {
    const scratch = new Scratch(lab)
    try {
      scratch.solve(datagrams.find(({ id }) => id === 'quarter-not-multiplied'))
      const { live } = await scratch.check('datagrams')
      const lines = Bytes.lines(props([], { live })).map(plainText)
      expect(lines.find(line => line.includes('Quarter Stream ID'))).to.match(/stream \d+ +stream \d+ +x$/)
      expect(lines.find(line => line.includes('Context ID'))).to.match(/\+$/)
    } finally {
      scratch.remove()
    }
  })
})
