/** Task 1: certificates that fit together, and the one that carries the trust. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { folderKeepsModes } from '../../../src/config/private-file.ts'
import type { CheckContext, Feedback } from '../../kit/lab/types.ts'
import { CERTIFICATES, certificateDirectory } from '../deployment.ts'

// Cases ----------------------------------------------------------------------------------------------------------------

const WRONG_FILES: Readonly<Record<string, string>> = {
  'server.pem':
    'The server sends server.pem itself in the handshake. A client that kept a copy would have to be given a new one at every renewal; an authority avoids that.',
  'server-key.pem': 'This key proves that the server is the server. Whoever has it can pass for the server.',
  'ca-key.pem': 'This key signs certificates. Whoever has it can pass for any server and for any client.',
  'client.pem': 'That is how a client shows who it is. Here the client asks who the server is.',
  'client-key.pem': 'That is how a client proves who it is. Here the client asks who the server is.',
}

// Reference ------------------------------------------------------------------------------------------------------------

const TRUSTED = 'ca.pem'

// Judgement ------------------------------------------------------------------------------------------------------------

export async function check(context: CheckContext): Promise<Feedback> {
  const directory = await certificateDirectory(context)
  const files = await context.do('look for the certificates in cert/out', () =>
    CERTIFICATES.map(name => ({ name, path: join(directory, name) })),
  )
  const missing = files.filter(file => !existsSync(file.path)).map(file => file.name)
  context.expect('all of them are there', missing.length === 0, {
    expected: `cert/out to hold ${CERTIFICATES.join(', ')}`,
    found: `no ${missing.join(', ')}. Run: npm run cert`,
    read: ['cert/README.md'],
  })
  const read = (name: string) => new X509Certificate(readFileSync(join(directory, name)))
  const [ca, server, client] = await context.do('read them', () => [
    read('ca.pem'),
    read('server.pem'),
    read('client.pem'),
  ])
  for (const [name, certificate] of [['server.pem', server] as const, ['client.pem', client] as const]) {
    context.expect(`${name} is signed by the authority in ca.pem`, certificate.verify(ca.publicKey), {
      expected: `${name} to be signed by the key that belongs to ca.pem`,
      found: `a signature by another key (issuer: ${certificate.issuer.replace(/\n/g, ', ')})`,
      misconception:
        'Certificates of two runs have been mixed: a new authority does not vouch for what an old one signed.',
      read: ['cert/README.md'],
    })
    const expired = Date.parse(certificate.validTo) < Date.now()
    context.expect(`${name} is valid today`, !expired, {
      expected: `${name} to be valid`,
      found: `that it expired on ${certificate.validTo}. Run: npm run cert`,
    })
  }
  context.expect('the server certificate names localhost', server.checkHost('localhost') !== undefined, {
    expected: 'localhost among the names (subjectAltName) of server.pem',
    found: server.subjectAltName ?? 'no names at all',
    misconception: 'A client compares the name it wanted to reach with these names; the common name does not count.',
    read: ['RFC 9110 §4.3.4 https Certificate Verification', 'cert/README.md'],
  })
  expectKey(context, directory, server)

  const answer = basename(context.answers.trust ?? '').toLowerCase()
  const misconception = WRONG_FILES[answer]
  context.expect('you know which file a client needs to trust the server', answer === TRUSTED, {
    expected: 'the one file with which a client can verify the certificate that the server shows',
    found: answer === '' ? 'no answer yet' : `the answer "${context.answers.trust}"`,
    misconception,
    read: ['cert/README.md', 'labs/lab-01-deploy/README.md, "Who trusts whom"'],
  })
  return {
    passed: true,
    expected: 'certificates that fit together, and the one that carries the trust',
    found: `server.pem for ${(server.subjectAltName ?? '').replace(/(DNS|IP Address):/g, '')}, valid until ${server.validTo}, signed by ca.pem`,
    read: ['cert/README.md'],
  }
}

function expectKey(context: CheckContext, directory: string, server: X509Certificate): void {
  const file = join(directory, 'server-key.pem')
  context.expect(
    'server-key.pem is the key of server.pem',
    server.checkPrivateKey(createPrivateKey(readFileSync(file))),
    {
      expected: 'a private key that fits the public key in server.pem',
      found: 'another key. Run: npm run cert -- --force',
    },
  )
  if (process.platform === 'win32') return
  const mode = statSync(file).mode & 0o777
  context.expect('only you can read the private key', (mode & 0o077) === 0, {
    expected: 'mode 600 on server-key.pem',
    found: folderKeepsModes(directory)
      ? `mode ${mode.toString(8)}: others on this machine can read it. Run: chmod 600 cert/out/*-key.pem`
      : `mode ${mode.toString(8)}, and chmod cannot change it: the file system of cert/out keeps no modes (a Windows drive under WSL, exFAT). Clone masque-lab into your home folder, on a Linux file system, and go on there`,
  })
}
