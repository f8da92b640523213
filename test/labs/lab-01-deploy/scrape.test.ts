import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { lab } from '../../../labs/lab-01-deploy/lab.ts'
import { parseScrapeConfig, SCRAPE_FILE, SCRAPE_LIMITS } from '../../../labs/lab-01-deploy/scrape-config.ts'
import { Scratch, said } from '../grade-lab.ts'

/** The reference with something else at its end, or in place of a part. */
function config({
  global = 'scrape_interval: 5s',
  job = '',
  targets = "['127.0.0.1:8080']",
  labels = 'labels: { site: classroom }',
  more = '',
}: Partial<Record<'global' | 'job' | 'targets' | 'labels' | 'more', string>> = {}): string {
  return `
global:
  ${global}
scrape_configs:
  - job_name: any
    ${job}
    static_configs:
      - targets: ${targets}
        ${labels}
${more}`
}

describe('labs/lab-01-deploy: scrape', () => {
  const scratch = new Scratch(lab)
  after(() => scratch.remove())

  const check = async (text: string, server: [find: string, replace: string][] = []) => {
    scratch.solve({
      id: '',
      misconception: '',
      says: '',
      file: 'server.toml',
      edits: server as [[string, string]],
    })
    writeFileSync(join(scratch.exercises, SCRAPE_FILE), text)
    return await scratch.check('scrape')
  }

  const right: [title: string, text: string, server?: [string, string][]][] = [
    [
      'the keys in another order, in flow style and in quotes',
      '{"scrape_configs": [{"static_configs": [{"labels": {"site": "classroom"}, "targets": ["localhost:8080"]}], "job_name": "x"}], "global": {"scrape_interval": "15s"}}',
    ],
    [
      'comments, everything said that could be left out, an anchor, and other targets in other jobs',
      config({
        global: 'scrape_interval: 1m # of others\n  evaluation_interval: 1m\n  external_labels: { site: elsewhere }',
        job: 'scrape_interval: 1s\n    scrape_timeout: 500ms\n    scheme: http\n    metrics_path: /metrics\n    honor_labels: false',
        targets: "\n          - '10.0.0.1:8080'\n          - LOCALHOST:8080 # mine",
        labels: 'labels: &labels\n          site: "classroom"\n          room: 7',
        more: "  - job_name: prometheus\n    static_configs:\n      - targets: ['localhost:9090']\n        labels: *labels\n      - targets: ['[2001:db8::1]:80']\nrule_files:\n  # - rules.yml\nalerting:\n  alertmanagers: []\n",
      }),
    ],
    [
      'the same target twice in one job, which Prometheus asks once',
      config({ targets: "['127.0.0.1:8080', '127.0.0.1:8080']" }),
    ],
    [
      'ports of its own, on a machine that others use, too',
      config({ targets: '[localhost:8123]', global: 'scrape_interval: 1s500ms' }),
      [['port = 8080', 'port = 8123']],
    ],
    [
      'a document that begins with dashes, and a path without a slash',
      `---\n${config({ job: 'metrics_path: metrics' })}`,
    ],
  ]
  for (const [title, text, server] of right) {
    it(`takes ${title}`, async () => {
      const result = await check(text, server)
      expect(result.passed, said(result)).to.equal(true)
    })
  }

  const wrong: [title: string, text: string, says: RegExp, server?: [string, string][]][] = [
    ['nothing', '', /prometheus\.yml: keys with values.*\nnothing/],
    ['no jobs', 'global:\n  scrape_interval: 5s', /scrape_configs: a list.*\nthat it is missing/],
    ['only comments for targets', config({ targets: '\n        # - 127.0.0.1:8080' }), /targets: a list.*\nnothing/],
    [
      'the proxy in two jobs',
      config({ more: "  - job_name: b\n    static_configs: [{ targets: ['127.0.0.1:8080'] }]" }),
      /in the job "any" and .* in the job "b"/,
    ],
    [
      'one name for two jobs',
      config({ more: "  - job_name: any\n    static_configs: [{ targets: ['a:1'] }]" }),
      /another job_name/,
    ],
    ['a job without a name', config().replace('job_name: any', 'honor_labels: true'), /job without a name/],
    ['the label of another value', config({ labels: 'labels: { site: Classroom }' }), /letter by letter/],
    [
      'a label at another target of the same job',
      config({ labels: '', more: "      - targets: ['b:8080']\n        labels: { site: classroom }" }),
      /no such label there/,
    ],
    [
      'an address for a label, which would be asked instead',
      config({ labels: 'labels: { site: classroom, __address__: "a:1" }' }),
      /no __ at the beginning/,
    ],
    [
      'a key that is no key of Prometheus',
      config({ job: 'scrape_intervall: 5s' }),
      /"scrape_intervall"\n.*refuses keys/,
    ],
    ['a key at the wrong place', `${config()}\nscrape_interval: 5s`, /indentation says/],
    ['relabelling', config({ job: 'relabel_configs: []' }), /no relabelling/],
    [
      'files of targets',
      'scrape_configs: [{ job_name: x, file_sd_configs: [{ files: ["/etc/passwd"] }] }]',
      /no discovery/,
    ],
    ['a tab', 'global:\n\tscrape_interval: 5s', /prometheus\.yml:2:1: Tabs/],
    ['a key twice', config({ job: 'honor_labels: true\n    honor_labels: true' }), /must be unique/],
    ['a scheme that is none', config({ job: 'scheme: quic' }), /http or https/],
    ['a port beyond all ports', config({ targets: "['127.0.0.1:80800']" }), /HOST:PORT of your REST API/],
    ['the IPv6 address, where nothing listens', config({ targets: "['[::1]:8080']" }), /HOST:PORT of your REST API/],
    ['a path with a query in it', config({ job: "metrics_path: '/metrics?a=b'" }), /status 404/],
    ['the page of Prometheus', config({ job: 'metrics_path: /api/docs/' }), /text\/html/],
    [
      'the port of the starting file, where server.toml has another one',
      config(),
      /HOST:PORT of your REST API/,
      [['port = 8080', 'port = 8123']],
    ],
    ['a name of a key that commands a terminal', 'global:\n  "\\e[2J": 1', /the key "\?\[2J"/],
    ['a target that does', config({ targets: '["\\e[2J:8080"]' }), /HOST:PORT of your REST API.*\n"\?\[2J:8080"/],
    ['a path that does', config({ job: 'metrics_path: "/\\e[2J"' }), /8080\/\?\[2J to be/],
    ['a label that does', config({ labels: 'labels: { site: "\\e[2J" }' }), /site="\?\[2J"/],
    [
      'a name of a job that does',
      config({ more: '  - job_name: "\\e[2J"\n    static_configs: [{ targets: [localhost:8080] }]' }),
      /in the job "\?\[2J"/,
    ],
    ['an API that is off', config(), /api\.enabled = false/, [['port = 8080', 'port = 8080\nenabled = false']]],
  ]
  for (const [title, text, says, server] of wrong) {
    it(`does not take ${title}`, async () => {
      const result = await check(text, server)
      expect(result.passed).to.equal(false)
      expect(said(result), 'what a terminal would obey').not.to.match(/[^\P{C}\n]/u)
      expect(said(result)).to.match(says)
    })
  }

  it('says so when the file is not there', async () => {
    scratch.solve()
    rmSync(join(scratch.exercises, SCRAPE_FILE))
    expect(said(await scratch.check('scrape'))).to.match(/ENOENT.*--reset scrape/)
  })

  for (const [title, text] of [
    ['a file without end', `#${'x'.repeat(SCRAPE_LIMITS.bytes)}`],
    ['brackets in brackets', '['.repeat(SCRAPE_LIMITS.bytes - 1)],
    ['lists in lists', '- '.repeat(SCRAPE_LIMITS.bytes / 2 - 1)],
    ['keys in keys', '? '.repeat(SCRAPE_LIMITS.bytes / 2 - 1)],
  ] as const) {
    it(`refuses ${title} before a parser has to read it`, () => {
      expect(() => parseScrapeConfig(text)).to.throw('something much larger, or deeply nested')
    })
  }

  it('refuses what grows when it is read, and what contains itself', () => {
    const bomb = Array.from({ length: 30 }, (_, at) => `a${at}: &a${at} [${at > 0 ? `*a${at - 1}, *a${at - 1}` : 'x'}]`)
    expect(() => parseScrapeConfig(bomb.join('\n'))).to.throw('alias')
    expect(() => parseScrapeConfig('global: &a { external_labels: *a }\nscrape_configs: &b [*b]')).to.throw('a list')
  })

  it('takes the interval of the job before that of all, and one minute where neither says anything', () => {
    const intervals = (global: string, job: string) =>
      parseScrapeConfig(config({ global, job })).map(({ intervalMs }) => intervalMs)
    expect(intervals('scrape_interval: 20s', 'scrape_interval: 1m30s')).to.deep.equal([90_000])
    expect(intervals('scrape_interval: 20s', '')).to.deep.equal([20_000])
    expect(intervals('scrape_interval: 0s', 'scrape_interval:')).to.deep.equal([60_000])
  })
})
