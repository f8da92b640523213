/** Endpoints of the reference and of mutants, against each other: real packets through a real proxy. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { Meeting, Participant } from '../../../labs/kit/grading/pairs.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { open } from '../../../labs/lab-03-protocol/pairs.ts'

describe('endpoints of students that meet', function () {
  this.timeout(240_000)
  let folder: string
  let meeting: Meeting | undefined
  const stop = new AbortController()
  const environment = { ...process.env }
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-pairs-'))
  })
  afterEach(async () => {
    await meeting?.close()
    meeting = undefined
    Object.assign(process.env, environment)
    for (const name of ['GOPROXY', 'XDG_CACHE_HOME']) if (environment[name] === undefined) delete process.env[name]
    rmSync(folder, { recursive: true, force: true })
  })

  /** The reference, or with one text in `endpoint.ts` replaced. */
  const participant = (name: string, before = '', after = ''): Participant => {
    const exercises = join(folder, name)
    cpSync(join(ROOT, 'solutions', 'lab-03-protocol'), exercises, { recursive: true })
    const file = join(exercises, 'endpoint.ts')
    const text = readFileSync(file, 'utf8')
    expect(text).to.include(before)
    writeFileSync(file, text.replace(before, after))
    return { name, exercises }
  }

  it('ping and answer each other, also one its own like; and what goes wrong is told, at either end', async () => {
    process.env.PATH = folder
    process.env.XDG_CACHE_HOME = folder
    meeting = await open({ scratch: folder, signal: stop.signal })
    expect(meeting.others).to.deep.equal([])
    expect(meeting.notes).to.deep.equal([
      'connect-ip-go was left out: Go is not installed (1.21 or newer, from https://go.dev/dl)',
    ])
    const ada = participant('ada')
    const bob = participant('bob', 'const TTL = 64', 'const TTL = 60')
    const short = participant('short', 'const reply = request.slice()', 'const reply = request.slice(0, -1)')
    const thrower = participant('thrower', 'reply[0] = ECHO_REPLY', 'throw new RangeError("not yet")')
    const refused = participant(
      'refused',
      'connectIpRequest(authority, path)',
      'connectIpRequest(authority, "/nowhere")',
    )
    for (const [from, to] of [
      [ada, ada],
      [ada, bob],
      [bob, ada],
    ] as const) {
      expect(await meeting.exchange(from, to), `${from.name} ${to.name}`).to.equal(undefined)
    }
    expect(await meeting.exchange(ada, short)).to.match(/came back for a ping of 56 bytes/)
    expect(await meeting.exchange(short, ada)).to.equal(undefined)
    expect(await meeting.exchange(ada, thrower)).to.equal('at thrower: not yet')
    expect(await meeting.exchange(refused, ada)).to.equal('the proxy answered the request with 404')
    // After all of that, too.
    expect(await meeting.exchange(bob, ada)).to.equal(undefined)
  })

  it('meet connect-ip-go, in both directions, where Go and what it needs are here', async function () {
    process.env.GOPROXY = 'off'
    meeting = await open({ scratch: folder, signal: stop.signal })
    if (meeting.others.length === 0) this.skip()
    const [ada, go] = [participant('ada'), { name: meeting.others[0] }]
    expect(await meeting.exchange(ada, go)).to.equal(undefined)
    expect(await meeting.exchange(go, ada)).to.equal(undefined)
    const mute = participant('mute', 'request[0] !== ECHO_REQUEST', 'request[0] === ECHO_REQUEST')
    expect(await meeting.exchange(go, mute)).to.match(/^no answer to a ping of 56 bytes from connect-ip-go$/)
    expect(await meeting.exchange(mute, go)).to.equal(undefined)
  })
})
