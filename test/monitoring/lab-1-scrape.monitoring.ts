import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { findTask } from '../../labs/kit/lab/registry.ts'
import { runCheck } from '../../labs/kit/run/engine.ts'
import { lab } from '../../labs/lab-01-deploy/lab.ts'
import { Scratch, said } from '../labs/grade-lab.ts'

describe('labs/lab-01-deploy: scrape, where Prometheus is installed', () => {
  const scratch = new Scratch(lab)
  after(() => scratch.remove())

  it('is tried by promtool, and by a Prometheus that scrapes the proxy', async () => {
    scratch.solve()
    const task = findTask(lab, 'scrape')!
    const result = await runCheck(lab, task, { root: scratch.root, mode: 'unattended', withOthers: true })
    expect(result.passed, said(result)).to.equal(true)
    expect(result.feedback.found)
      .to.include('promtool has nothing against the file')
      .and.to.match(/Prometheus \d[\w.]* has scraped it, too/)
  })

  it('tells what promtool has against a part that the check itself does not look at', async () => {
    scratch.solve()
    const rules = join(scratch.exercises, 'rules.yml')
    writeFileSync(rules, 'groups: 7\n')
    const text =
      'rule_files: [rules.yml]\nscrape_configs: [{ job_name: a, scrape_interval: 5s, static_configs: [{ targets: [localhost:8080], labels: { site: classroom } }] }]\n'
    writeFileSync(join(scratch.exercises, 'prometheus.yml'), text)
    const result = await runCheck(lab, findTask(lab, 'scrape')!, {
      root: scratch.root,
      mode: 'unattended',
      withOthers: true,
    })
    rmSync(rules)
    expect(result.passed).to.equal(false)
    expect(said(result)).to.match(/a configuration that Prometheus takes\n.*FAILED/s)
  })
})
