import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { vetConfigs } from '../../../../labs/kit/grading/config-vetting.ts'
import { exerciseFolder } from '../../../../labs/kit/lab/exercises.ts'

describe('labs/kit/grading/config-vetting', () => {
  const lab = { id: 'lab-04-impairment' } as const
  let scratch: string

  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'masque-vetting-'))
    mkdirSync(exerciseFolder(scratch, lab), { recursive: true })
  })
  afterEach(() => rmSync(scratch, { recursive: true, force: true }))

  const found = (toml: string): string | undefined => {
    writeFileSync(join(exerciseFolder(scratch, lab), 'own.toml'), toml)
    return vetConfigs(scratch, lab)?.found
  }

  it('a profile may follow a trace of the repository, and none of the machine', () => {
    expect(found('[both]\ntrace = "../../../netem/traces/lte-weak-up.trace"\n')).to.equal(undefined)
    expect(found('[both]\ntrace = "/etc/passwd"\n')).to.match(/both\.trace = "\/etc\/passwd"/)
    expect(found('[down]\ntrace = "../../../../../../../../etc/passwd"\n')).to.match(/own\.toml: down\.trace/)
    expect(found('[[timeline]]\nkind = "set"\nto = { trace = "/etc/passwd" }\n')).to.match(/timeline\.0\.to\.trace/)
  })
})
