// `npm run test:engines`: the tests of QUIC and of all that lies above it, over the engine in TypeScript. `npm test` runs them over quiche, where its binary loads.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ended } from '../support/scratch.ts'
import { CIPHER_SUITES, SUITES } from './suites.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const { grep } = new Command('npm run test:engines --')
  .description('Runs the tests of QUIC, the carriers, the client and the server over the engine in TypeScript.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

async function mocha(files: readonly string[], environment: Record<string, string>): Promise<number> {
  const words = ['node_modules/mocha/bin/mocha.js', '--parallel', '--jobs', '3', ...files]
  if (grep !== undefined) words.push('--grep', grep)
  const env = { ...process.env, ...environment }
  const [status] = await ended(spawn(process.execPath, words, { cwd: ROOT, stdio: 'inherit', env }))
  return status ?? 1
}

const statuses = [await mocha(SUITES, { MASQUE_QUIC: 'typescript' })]
// And packets as they are protected where OpenSSL cannot be called directly.
statuses.push(await mocha(CIPHER_SUITES, { MASQUE_QUIC: 'typescript', MASQUE_CRYPTO: 'node' }))
process.exitCode = Math.max(...statuses)
