/** The wall of the operating system, tried with the whole of Node behind it: as if there were no other. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'chai'
import {
  firstThatWorks,
  ISOLATIONS,
  type Isolation,
  PROCESS_ONLY,
} from '../../../../labs/kit/student-code/isolation.ts'
import { Sandbox } from '../../../../labs/kit/student-code/sandbox.ts'
import { PATIENCE_MS } from '../../../support/patience.ts'

const [NAMESPACES, NETWORK] = ISOLATIONS as [Isolation, Isolation]

/** Sandboxes for other systems, which forbid what those of this one permit. */
const FORBIDDEN: Isolation = { ...NAMESPACES, command: () => ['/bin/sh', '-c', 'echo not permitted >&2; exit 1'] }
const MISSING: Isolation = { ...NAMESPACES, command: () => ['/nowhere/unshare'] }

describe('isolation by the operating system', () => {
  let folder: string
  let servers: Server[]
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'masque-isolation-'))
    writeFileSync(join(folder, 'secret'), 'secret')
    const listen = (where: object) =>
      new Promise<Server>(resolve => {
        const server = createServer(socket => socket.end('hello'))
        server.listen(where, () => resolve(server))
      })
    servers = [
      await listen({ port: 0, host: '127.0.0.1' }),
      await listen({ path: join(folder, 'socket') }),
      ...(process.platform === 'linux' ? [await listen({ path: `\0masque-${process.pid}` })] : []),
    ]
  })
  afterEach(() => {
    for (const server of servers) server.close()
    rmSync(folder, { recursive: true, force: true })
  })

  /** What Node reaches behind a wall: TCP, Unix sockets, files. */
  const reached = async (wall: Isolation): Promise<string[]> => {
    const targets = servers.map(server => {
      const address = server.address() as { port: number } | string
      return typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' }
    })
    const tries = `
      const { connect } = require('net'), { readFileSync, readdirSync } = require('fs')
      const found = ${JSON.stringify(targets)}.map(target => new Promise(resolve =>
        connect(target).once('data', () => resolve(target.host ? 'TCP' : target.path[0] === '/' ? 'Unix' : 'abstract'))
          .once('error', () => resolve())))
      const files = [${JSON.stringify(join(folder, 'secret'))}, '/etc/passwd', '/proc/self/status']
        .filter(file => { try { return readFileSync(file) } catch { } })
      Promise.all(found).then(names => {
        console.log(JSON.stringify([...names.filter(Boolean), ...files.length > 0 ? ['files'] : []]))
        process.exit()
      })`
    const [command, ...args] = wall.command([process.execPath, '-e', tries], 'ulimit -c 0')
    const { stdout } = await promisify(execFile)(command!, args, { cwd: '/', timeout: PATIENCE_MS })
    return JSON.parse(stdout)
  }

  it('leaves nothing to be reached: no address, no socket, no file', async function () {
    if ((await firstThatWorks([NAMESPACES])) !== NAMESPACES) this.skip()
    expect(await reached(PROCESS_ONLY)).to.include.members(['TCP', 'Unix', 'abstract', 'files'])
    expect(await reached(NAMESPACES)).to.deep.equal([])
  })

  it('without a file system of its own leaves the Unix sockets that have a path', async function () {
    if ((await firstThatWorks([NETWORK])) !== NETWORK) this.skip()
    expect(await reached(NETWORK)).to.deep.equal(['Unix', 'files'])
  })

  it('is the strongest that works, and where none does, Node alone', async () => {
    expect(await firstThatWorks([FORBIDDEN, MISSING])).to.equal(PROCESS_ONLY)
    expect(await firstThatWorks([FORBIDDEN, PROCESS_ONLY])).to.equal(PROCESS_ONLY)
    expect(await firstThatWorks([])).to.equal(PROCESS_ONLY)
  })

  for (const wall of ISOLATIONS) {
    it(`runs student code: ${wall.name}`, async function () {
      if ((await firstThatWorks([wall])) !== wall) this.skip()
      const mounts = process.platform === 'linux' ? readdirSync('/mnt') : []
      const sandbox = await Sandbox.start({}, wall)
      try {
        await sandbox.ask({ op: 'load', file: 'a.ts', code: 'exports.f = n => n + 1' }, 1)
        const { outcomes, end } = await sandbox.ask({ op: 'call', file: 'a.ts', name: 'f', argLists: [['a', 1]] }, 1)
        expect(end).to.equal(undefined)
        expect(outcomes).to.deep.equal([{ value: 2 }])
      } finally {
        await sandbox.close()
      }
      // Nothing of it is seen from outside.
      if (process.platform === 'linux') expect(readdirSync('/mnt')).to.deep.equal(mounts)
    })
  }
})
