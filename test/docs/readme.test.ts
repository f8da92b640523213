import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { PATIENCE_MS } from '../support/patience.ts'
import { brokenLinks, filesBelow, linksOf, ROOT, read } from './repository.ts'

const RUN = 'bin/masque-lab.mjs'

/** The lines of the README's `sh` blocks, and the commands in its tables; `a && b` is two commands. */
function commandsOfReadme(): string[] {
  const text = read('README.md')
  const blocks = [...text.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap(match => match[1].trim().split('\n'))
  const inTables = [...text.matchAll(/`((?:npm|\.ci\/)[^`]*)`/g)].map(match => match[1])
  return [...blocks, ...inTables].flatMap(line => line.split(' && ')).map(line => line.trim())
}

async function run(file: string, args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(file, args, { cwd: ROOT, timeout: PATIENCE_MS })
  return stdout
}

describe('README.md', () => {
  const commands = commandsOfReadme()
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

  it('has commands that this test knows how to check', () => {
    expect(commands).to.include.members([
      'npm ci',
      'npm test',
      'npm run lab -- 1',
      'npm run cert',
      'npm run functional',
    ])
    for (const command of commands) expect(command).to.match(/^(?:npm (?:ci|test|run) ?|curl http:\/\/|\.ci\/run$)/)
  })

  it('names npm scripts that exist', () => {
    const names = commands.map(command => /^npm run ([a-z:-]+)/.exec(command)?.[1]).filter(name => name !== undefined)
    expect(names.filter(name => scripts[name] === undefined)).to.deep.equal([])
  })

  it('names files that exist', () => {
    const files = commands.flatMap(command => /-c (\S+)/.exec(command)?.[1] ?? [])
    expect(files).to.deep.equal(['config/server.local.toml', 'config/client.local.toml'])
    expect(files.filter(file => !existsSync(join(ROOT, file)))).to.deep.equal([])
  })

  it('asks the port and the paths that the example configuration serves', () => {
    const port = /\[api\][\s\S]*?^port = (\d+)/m.exec(read('config/server.local.toml'))?.[1]
    const documented = read('docs/openapi.yaml')
    const urls = commands.filter(command => command.startsWith('curl ')).map(command => new URL(command.split(' ')[1]))
    expect(urls).to.have.length.greaterThan(1)
    for (const { host, pathname } of urls) {
      expect(host).to.equal(`127.0.0.1:${port}`)
      expect(documented).to.include(`\n  ${pathname}:`)
    }
  })

  it('pings hosts that the example configuration has', () => {
    const targets = commands.flatMap(command => [...command.matchAll(/--ping (\S+)/g)].map(match => match[1]))
    expect(targets).to.have.length(2)
    for (const target of targets) expect(read('config/server.local.toml')).to.include(`"${target}"`)
  })

  it('has a server command whose configuration is valid, and options that exist', async () => {
    // As in the README: the certificates are made first, where the configuration looks for them.
    const scratch = mkdtempSync(join(tmpdir(), 'masque-test-readme-'))
    const configuration = join(scratch, 'config/server.local.toml')
    cpSync(join(ROOT, 'config'), join(scratch, 'config'), { recursive: true })
    const makeThenCheck = async () => {
      await run(process.execPath, [RUN, 'cert', '--out', join(scratch, 'cert/out')])
      return run(process.execPath, [RUN, 'server', '--check', '-c', configuration])
    }
    const [check, help] = await Promise.all([
      makeThenCheck(),
      run(process.execPath, [RUN, 'client', '--help']),
    ]).finally(() => rmSync(scratch, { recursive: true, force: true }))
    expect(check).to.include('valid')
    expect(help).to.include('--ping').and.include('--config')
  })

  it('has a functional test that passes', async () => {
    const output = await run(process.execPath, [RUN, 'functional'])
    expect(output).to.include('all 8 steps passed')
    expect(output).not.to.include('FAIL')
  })

  it('lists the labs that exist, and no other as playable', () => {
    const rows = [...read('README.md').matchAll(/`npm run lab -- (\d+)` \|$/gm)].map(match => Number(match[1]))
    const labs = filesBelow('labs', ['lab.ts']).filter(path => /^labs\/lab-\d+[^/]*\/lab\.ts$/.test(path))
    expect(rows).to.deep.equal(labs.map(path => Number(/lab-(\d+)/.exec(path)?.[1])))
  })
})

describe('the documentation', () => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    ...filesBelow('docs', ['.md']),
    'cert/README.md',
    'interop/README.md',
  ]

  for (const page of [...pages, ...filesBelow('labs', ['.md'])]) {
    it(`has no broken links in ${page}`, () => {
      expect(brokenLinks(page)).to.deep.equal([])
    })
  }

  it('has every page of docs/ in its index', () => {
    const listed = new Set(linksOf(read('docs/README.md')))
    const there = filesBelow('docs', ['.md', '.yaml']).map(path => path.slice('docs/'.length))
    expect(there.filter(page => page !== 'README.md' && !listed.has(page))).to.deep.equal([])
  })
})
