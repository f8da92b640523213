import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'

const RUN = fileURLToPath(new URL('../../bin/masque-lab.mjs', import.meta.url))

async function output(locale: Record<string, string>, ...args: string[]): Promise<string> {
  const { LC_ALL: _1, LC_CTYPE: _2, LANG: _3, ...env } = process.env
  const child = spawn(process.execPath, [RUN, ...args], {
    env: { ...env, ...locale },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', piece => {
      text += piece
    })
  }
  await once(child, 'close')
  return text
}

describe('what commands print', function () {
  this.timeout(60_000)

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
