import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { ROOT, read } from './repository.ts'

/** What each prints, line by line; times differ. */
const PRINTS: Record<string, RegExp[]> = {
  'decode-capsule.ts': [/^ADDRESS_ASSIGN 192\.0\.2\.42\/32, request 0$/],
  'ping.ts': [
    /^assigned 10\.89\.0\.2\/32 and fd00:89::2\/128, MTU \d+, after [\d.]+ ms$/,
    /^10\.90\.0\.1 answers after [\d.]+ ms, TTL 63$/,
    /^fd00:90::1 answers after [\d.]+ ms, TTL 63$/,
  ],
  'tunnel-in-memory.ts': [
    /^proxy: {2}addresses-requested$/,
    /^client: addresses-assigned$/,
    /^client: routes-advertised$/,
    /^to 198\.51\.100\.7: passes$/,
    /^to 203\.0\.113\.1: dropped, no-route$/,
  ],
  'two-hosts.ts': [
    /^ping 192\.0\.2\.2: no reply within 200 ms$/,
    /^192\.0\.2\.2 answers, TTL 64$/,
    /^192\.0\.2\.2 answers, TTL 64$/,
  ],
}

describe('examples/', () => {
  it('has programs that are all known here', () => {
    const files = readdirSync(join(ROOT, 'examples'), { withFileTypes: true }).filter(entry => entry.isFile())
    expect(files.map(({ name }) => name).sort()).to.deep.equal(Object.keys(PRINTS))
  })

  for (const [file, lines] of Object.entries(PRINTS)) {
    it(`${file} is short, and prints what it says when it is run as its first lines say`, async () => {
      const text = read(`examples/${file}`)
      const body = text.slice(text.indexOf('*/') + 2).trim()
      expect(body.split('\n').length).to.be.at.most(35)
      const args = new RegExp(`^ \\* {5}npx tsx examples/${file}(.*)$`, 'm').exec(text)?.[1]
      expect(args, 'the command').to.not.equal(undefined)
      const command = ['--import', 'tsx', `examples/${file}`, ...(args ?? '').split(' ').filter(Boolean)]
      const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: ROOT })
      const printed = stdout.trim().split('\n')
      expect(printed).to.have.length(lines.length)
      for (const [i, line] of lines.entries()) expect(printed[i]).to.match(line)
    })
  }
})
