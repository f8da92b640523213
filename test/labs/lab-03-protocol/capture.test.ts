/** Task 11 beyond its answers: the files for the student, and what another program says about them. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { runCheck } from '../../../labs/kit/run/engine.ts'
import { isNameOf } from '../../../labs/lab-03-protocol/checks/capture.ts'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { encodePcapng } from '../../../labs/lab-03-protocol/pcapng.ts'
import { record } from '../../../labs/lab-03-protocol/recorder.ts'
import { askTshark } from '../../../labs/lab-03-protocol/tshark.ts'
import { Scratch, said } from '../grade-lab.ts'

describe('labs/lab-03-protocol: the capture', () => {
  const scratch = new Scratch(lab)
  after(() => scratch.remove())
  const answers = (change: (text: string) => string) => {
    scratch.solve()
    const file = join(scratch.exercises, 'answers.toml')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  }
  const live = async () => {
    const task = lab.tasks.find(candidate => candidate.id === 'capture')!
    return await runCheck(lab, task, { root: scratch.root, mode: 'live', seed: 'ada@example' })
  }

  it('has the same facts for the same name, and others for another', async () => {
    const undo: (() => unknown)[] = []
    const directory = mkdtempSync(join(tmpdir(), 'masque-lab3-test-'))
    const context = {
      scratch: async () => directory,
      defer: (action: () => unknown) => void undo.push(action),
      signal: new AbortController().signal,
    }
    try {
      const [ada, again, bob] = [
        await record('ada', context),
        await record('ada', context),
        await record('bob', context),
      ]
      expect(again.facts).to.deep.equal(ada.facts)
      expect(bob.facts).to.not.deep.equal(ada.facts)
      expect(ada.keyLog).to.match(/^CLIENT_TRAFFIC_SECRET_0 /m)
      expect(ada.text).to.match(/DATAGRAM\n {4}0000 {2}[0-9a-f]{2}/)
    } finally {
      for (const action of undo.reverse()) await action()
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it('leaves capture, keys and listing for the student, and asks for a name first', async () => {
    scratch.begin()
    const result = await live()
    expect(result.passed).to.equal(false)
    expect(said(result)).to.include('name = "ada@example"')
    const folder = join(scratch.exercises, 'capture')
    expect(readFileSync(join(folder, 'session.pcapng')).subarray(0, 4).toString('hex')).to.equal('0a0d0d0a')
    expect(statSync(join(folder, 'session.keys')).mode & 0o077).to.equal(0)
    expect(readFileSync(join(folder, 'session.txt'), 'utf8')).to.include('"ada@example"')
    const before = readFileSync(join(folder, 'session.pcapng'))
    await live()
    expect(readFileSync(join(folder, 'session.pcapng')).equals(before), 'made anew').to.equal(true)
  })

  it('does not take the answers of the reference solution from a student', async () => {
    answers(text => text)
    const result = await scratch.check('capture', { seed: 'ada' })
    expect(result.passed).to.equal(false)
    expect(said(result)).to.match(/that of the reference solution/)
  })

  it('belongs to whoever hands it in, in any spelling of the name', async () => {
    for (const [name, folder] of [
      ['ada', 'ada'],
      ['Ada', 'Lovelace_Ada_4711'],
      ['lovelace ada', 'Lovelace_Ada_4711'],
      ['Åsa', 'asa-b'],
      ['al', 'Al'],
    ] as const) {
      expect(isNameOf(name, folder), `${name} ${folder}`).to.equal(true)
    }
    for (const [name, folder] of [
      ['bob', 'ada'],
      ['a', 'Lovelace_Ada'],
      ['love', 'Lovelace_Ada'],
      ['_', '-'],
    ] as const) {
      expect(isNameOf(name, folder), `${name} ${folder}`).to.equal(false)
    }
    answers(text => text.replace('name = "reference"', 'name = "ada"'))
    const copied = await scratch.check('capture', { seed: 'bob' })
    expect(said(copied)).to.include('"bob"').and.to.include('the name "ada"')
  })

  it('says so when an answer is more than a number', async () => {
    answers(text => text.replace(/stream = "(\d+)"/, 'stream = "$1 bytes"'))
    expect(said(await scratch.check('capture'))).to.match(/the answer "\d+ bytes"; a number only/)
  })

  it('accepts answers in other spellings', async () => {
    answers(text =>
      text
        .replace('"0x107"', '"h3_excessive_load"')
        .replace('"10.155.125.2"', '"10.155.125.2/32"')
        .replace('"15086"', '"0x3aee"'),
    )
    const result = await scratch.check('capture')
    expect(result.passed, said(result)).to.equal(true)
  })

  it('tshark decrypts the file, and finds the same', async function () {
    try {
      execFileSync('tshark', ['--version'], { stdio: 'ignore' })
    } catch {
      console.log('      tshark is not installed: its view of the capture was not compared')
      this.skip()
    }
    scratch.begin()
    await live()
    const file = join(scratch.exercises, 'capture', 'session.pcapng')
    expect(existsSync(file)).to.equal(true)
    const found = await askTshark(file)
    const listing = readFileSync(join(scratch.exercises, 'capture', 'session.txt'), 'utf8')
    expect(found?.datagramsSent).to.equal(listing.match(/client to proxy: DATAGRAM/g)?.length)
    expect(found?.errorCode).to.be.within(0x100, 0x110)
  })

  it('writes blocks whose lengths are multiples of four and stand at both ends', () => {
    const file = encodePcapng(
      [{ at: 1_700_000_000_123.5, bytes: Uint8Array.of(0x45, 1, 2, 3, 4) }],
      'CLIENT_RANDOM 00 11\n',
    )
    const view = new DataView(file.buffer)
    const types: number[] = []
    for (let at = 0; at < file.length; ) {
      const length = view.getUint32(at + 4, true)
      expect(length % 4).to.equal(0)
      expect(view.getUint32(at + length - 4, true)).to.equal(length)
      types.push(view.getUint32(at, true))
      at += length
    }
    expect(types).to.deep.equal([0x0a0d0d0a, 1, 10, 6])
  })
})
