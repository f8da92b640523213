// `npm run test:engines`: the tests of QUIC and of all that lies above it, over the engine in TypeScript. `npm test` runs them over quiche, where its binary loads.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { ended } from '../support/scratch.ts'
import { SUITES } from './suites.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const { grep } = new Command('npm run test:engines --')
  .description('Runs the tests of QUIC, the carriers, the client and the server over the engine in TypeScript.')
  .option('--grep <text>', 'only tests whose title has this')
  .parse()
  .opts<{ grep?: string }>()

const mocha = ['node_modules/mocha/bin/mocha.js', '--parallel', '--jobs', '3', ...SUITES]
if (grep !== undefined) mocha.push('--grep', grep)
const child = spawn(process.execPath, mocha, {
  cwd: ROOT,
  stdio: 'inherit',
  env: { ...process.env, MASQUE_QUIC: 'typescript' },
})
const [status] = await ended(child)
process.exitCode = status ?? 1
