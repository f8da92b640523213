/** The scripts in the labs' `netem/` folders, as whoever runs all of them starts them. What they find out, `.ci/run` says. */

import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'

const LABS = fileURLToPath(new URL('../../../../labs/', import.meta.url))
const scripts = readdirSync(LABS)
  .map(name => `${name}/netem/check.sh`)
  .filter(name => existsSync(LABS + name))

describe('the script that impairs the link of a lab', () => {
  it('is there for each lab', () => {
    expect(scripts.map(name => name.slice(0, 6))).to.deep.equal(['lab-01', 'lab-02', 'lab-03', 'lab-04', 'lab-05'])
  })

  for (const name of scripts) {
    it(`takes the options that all of them take: ${name}`, async function () {
      if (process.platform === 'win32') this.skip()
      const { stdout } = await promisify(execFile)('bash', [LABS + name, '--help'])
      expect(stdout)
        .to.match(/--backend <which>.*"auto", "emulator", "kernel"/s)
        .and.match(/--seed <text>/)
    })
  }
})
