import { spawnSync } from 'node:child_process'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { makeTestCertificates } from '../../src/cert/make-certificates.ts'

const script = fileURLToPath(new URL('../../cert/generate.sh', import.meta.url))
const DAY_MS = 86_400_000

function generate(dir: string, ...args: string[]) {
  return spawnSync('bash', [script, '--out', dir, ...args], { encoding: 'utf8' })
}

/** Which certificates a run said it made, and which it kept. */
function states(stdout: string): Record<string, string> {
  return Object.fromEntries([...stdout.matchAll(/^(\S+)\.pem +(new|kept)/gm)].map(m => [m[1], m[2]]))
}

describe('cert/generate.sh', () => {
  let root: string
  let dir: string

  const read = (name: string): string => readFileSync(join(dir, name), 'utf8')
  const certificate = (name: string): X509Certificate => new X509Certificate(read(`${name}.pem`))

  before(function () {
    if (spawnSync('bash', ['-c', 'openssl version']).status !== 0) this.skip()
    root = mkdtempSync(join(tmpdir(), 'masque-lab-cert-'))
    dir = join(root, 'out with space')
    const result = generate(dir, '--name', 'proxy.example', '--name', '2001:db8::1', '--client', 'alice')
    expect(result.status, result.stderr).to.equal(0)
  })

  after(() => {
    if (root !== undefined) rmSync(root, { recursive: true, force: true })
  })

  it('makes a CA, a server certificate and client certificates, each with its key, and leaves nothing else', () => {
    const names = ['alice', 'ca', 'client', 'client2', 'server']
    expect(readdirSync(dir).sort()).to.deep.equal(names.flatMap(n => [`${n}-key.pem`, `${n}.pem`]).sort())
    for (const name of names) {
      const key = createPrivateKey(read(`${name}-key.pem`))
      expect(key.asymmetricKeyDetails?.namedCurve).to.equal('prime256v1')
      expect(certificate(name).checkPrivateKey(key), name).to.equal(true)
    }
  })

  it('lets nobody else read the keys', function () {
    if (process.platform === 'win32') this.skip()
    for (const file of readdirSync(dir).filter(f => f.endsWith('-key.pem'))) {
      expect(statSync(join(dir, file)).mode & 0o777, file).to.equal(0o600)
    }
  })

  it('gives the server certificate the loopback names and those asked for, for at most 397 days', () => {
    const server = certificate('server')
    for (const host of ['localhost', 'proxy.example']) expect(server.checkHost(host), host).to.equal(host)
    for (const ip of ['127.0.0.1', '::1', '2001:db8::1']) expect(server.checkIP(ip), ip).to.not.equal(undefined)
    expect((Date.parse(server.validTo) - Date.parse(server.validFrom)) / DAY_MS).to.be.at.most(397)
  })

  it('marks who may do what: the CA signs, the server serves, a client identifies itself by its CN', () => {
    const ca = certificate('ca')
    expect(ca.ca).to.equal(true)
    for (const [name, purpose] of [
      ['server', '1.3.6.1.5.5.7.3.1'],
      ['client', '1.3.6.1.5.5.7.3.2'],
      ['alice', '1.3.6.1.5.5.7.3.2'],
    ]) {
      const leaf = certificate(name)
      expect(leaf.ca).to.equal(false)
      expect(leaf.verify(ca.publicKey)).to.equal(true)
      expect(leaf.keyUsage, name).to.deep.equal([purpose])
    }
    expect(certificate('alice').subject).to.equal('O=masque-lab\nCN=alice')
  })

  it("passes openssl's strict check of RFC 5280", () => {
    for (const [name, purpose] of [
      ['server', 'sslserver'],
      ['client', 'sslclient'],
    ]) {
      const args = [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        join(dir, 'ca.pem'),
        join(dir, `${name}.pem`),
      ]
      const result = spawnSync('openssl', args, { encoding: 'utf8' })
      expect(result.status, result.stderr).to.equal(0)
    }
  })

  it('keeps everything when it is run again, says so, and mends the modes of keys', () => {
    chmodSync(join(dir, 'client-key.pem'), 0o644)
    const before = readdirSync(dir).map(read)
    const result = generate(dir, '--client', 'alice')
    expect(states(result.stdout)).to.deep.equal({
      ca: 'kept',
      server: 'kept',
      client: 'kept',
      client2: 'kept',
      alice: 'kept',
    })
    expect(readdirSync(dir).map(read)).to.deep.equal(before)
    if (process.platform !== 'win32') expect(statSync(join(dir, 'client-key.pem')).mode & 0o777).to.equal(0o600)
  })

  it('renews a certificate that is about to expire', () => {
    const short = join(root, 'short')
    generate(short, '--days', '1')
    const result = generate(short)
    expect(states(result.stdout)).to.deep.equal({ ca: 'kept', server: 'new', client: 'new', client2: 'new' })
    expect(result.stdout).to.include('expires within a day')
  })

  it('renews a server’s certificate that lives longer than --days asks for, and nothing else', () => {
    expect(generate(dir).status).to.equal(0)
    const { stdout } = generate(dir, '--days', '13')
    expect(states(stdout)).to.deep.equal({ ca: 'kept', server: 'new', client: 'kept', client2: 'kept' })
    expect(stdout).to.include('the old one is valid for more than 13 days')
    const { validFrom, validTo } = certificate('server')
    expect((Date.parse(validTo) - Date.parse(validFrom)) / DAY_MS).to.be.within(12.9, 13.1)
    expect(states(generate(dir, '--days', '13').stdout).server).to.equal('kept')
    expect(states(generate(dir).stdout).server).to.equal('kept')
  })

  it('renews a certificate that does not fit its key, is not one, or lacks a name that is asked for', () => {
    renameSync(join(dir, 'alice-key.pem'), join(dir, 'client-key.pem'))
    writeFileSync(join(dir, 'client2.pem'), 'nonsense')
    const result = generate(dir, '--name', 'other.example')
    expect(states(result.stdout)).to.deep.equal({ ca: 'kept', server: 'new', client: 'new', client2: 'new' })
    expect(certificate('server').checkHost('other.example')).to.equal('other.example')
    expect(certificate('client').checkPrivateKey(createPrivateKey(read('client-key.pem')))).to.equal(true)
  })

  it('renews what was signed by another CA, after --force has made everything anew', () => {
    const old = read('ca.pem')
    const aliceOld = read('alice.pem')
    expect(Object.values(states(generate(dir, '--force').stdout))).to.deep.equal(['new', 'new', 'new', 'new'])
    expect(read('ca.pem')).to.not.equal(old)
    writeFileSync(join(dir, 'client.pem'), aliceOld)
    expect(states(generate(dir).stdout)).to.include({ ca: 'kept', client: 'new', client2: 'kept' })
    expect(certificate('client').verify(certificate('ca').publicKey)).to.equal(true)
  })

  it('does not replace a CA whose key is elsewhere', () => {
    renameSync(join(dir, 'ca-key.pem'), join(root, 'moved-key.pem'))
    const ca = read('ca.pem')
    const result = generate(dir)
    renameSync(join(root, 'moved-key.pem'), join(dir, 'ca-key.pem'))
    expect(result.status).to.equal(1)
    expect(result.stderr).to.include('ca-key.pem is not').and.include('--force')
    expect(read('ca.pem')).to.equal(ca)
  })

  it('AT-15 keeps what was not made here under another name: certificates and keys of somebody else', async () => {
    const foreign = join(root, 'foreign')
    const theirs = await makeTestCertificates(foreign)
    // Somebody's own authority, as openssl makes one.
    const made = spawnSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=their.example',
      ].concat(['-keyout', join(foreign, 'server-key.pem'), '-out', join(foreign, 'server.pem')]),
      { encoding: 'utf8' },
    )
    expect(made.status, made.stderr).to.equal(0)
    rmSync(theirs.ca)
    writeFileSync(join(foreign, 'client2.pem'), 'notes of somebody')
    const before = Object.fromEntries(
      readdirSync(foreign).map(file => [file, readFileSync(join(foreign, file), 'utf8')]),
    )
    const first = generate(foreign)
    expect(first.status, first.stderr).to.equal(0)
    const kept = (file: string): string => readFileSync(join(foreign, file), 'utf8')
    for (const file of ['ca-key.pem', 'server.pem', 'server-key.pem', 'client2.pem']) {
      expect(kept(`${file}.before`), file).to.equal(before[file])
      expect(kept(file), file).to.not.equal(before[file])
      expect(first.stdout).to.include(`${file}.before`)
    }
    // What was made here is replaced by what is made here, and nothing piles up.
    expect(readdirSync(foreign)).to.not.include('client.pem.before')
    // Again, by force: the next of somebody's files gets the next name.
    writeFileSync(join(foreign, 'server-key.pem'), 'another key')
    expect(generate(foreign, '--force').status).to.equal(0)
    expect(kept('server-key.pem.before')).to.equal(before['server-key.pem'])
    expect(kept('server-key.pem.before-2')).to.equal('another key')
    expect(readdirSync(foreign)).to.not.include('ca-key.pem.before-2')
  })

  it('refuses what it does not understand in one sentence and writes nothing', () => {
    const refused = join(root, 'refused')
    for (const [args, sentence] of [
      [['--days', '398'], '--days 398: a number from 1 to 397'],
      [['--days', 'x'], '--days x:'],
      [['--client', 'server'], 'this name is taken'],
      [['--client', '../x'], "--client '../x': letters"],
      [['--name', 'a b'], "--name 'a b': a DNS name or an IP address"],
      [['--name', '999.1.1.1'], 'does not accept one of these names'],
      [['--name'], '--name needs a value'],
      [['--wrong'], "unknown argument '--wrong'"],
    ] as const) {
      const result = generate(refused, ...args)
      expect(result.status, args.join(' ')).to.equal(1)
      expect(result.stderr.trim(), args.join(' ')).to.include(sentence).and.not.include('\n')
    }
    rmSync(refused, { recursive: true, force: true })
  })

  it('says in one sentence that openssl is missing', function () {
    if (process.platform === 'win32') this.skip()
    const bash = spawnSync('bash', ['-c', 'command -v bash'], { encoding: 'utf8' }).stdout.trim()
    const result = spawnSync(bash, [script, '--out', join(root, 'none')], {
      encoding: 'utf8',
      env: { PATH: '/nonexistent' },
    })
    expect(result.status).to.equal(1)
    expect(result.stderr.trim())
      .to.match(/^generate\.sh: openssl is not installed/)
      .and.not.include('\n')
  })
})
