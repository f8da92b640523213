import { expect } from 'chai'
import { command } from '../support/command.ts'

async function output(locale: Record<string, string>, ...args: string[]): Promise<string> {
  const { LC_ALL: _1, LC_CTYPE: _2, LANG: _3, ...env } = process.env
  const { stdout, stderr } = await command(args, { env: { ...env, ...locale } })
  return stdout + stderr
}

describe('what commands print', () => {
  it('is ASCII where the locale is not of UTF-8, JSON with all its letters', async () => {
    const [list, profile, json, wide] = await Promise.all([
      output({ LANG: 'C' }, 'experiment', '--list'),
      output({ LANG: 'en_US.UTF-8', LC_ALL: 'de_DE.ISO-8859-1' }, 'netem', 'show', 'lte-weak'),
      output({ LC_CTYPE: 'POSIX' }, 'lab', '--json'),
      output({ LANG: 'C', LC_CTYPE: 'C.UTF-8' }, 'experiment', '--list'),
    ])
    for (const text of [list, profile, json]) expect(text).to.match(/^[\x00-\x7f]+$/)
    expect(list).to.match(/18 cells x 7 seeds/)
    expect(wide).to.match(/18 cells × 7 seeds/)
    expect(JSON.parse(json)).to.be.an('object')
  })
})
