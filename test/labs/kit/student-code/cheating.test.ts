import { createServer } from 'node:net'
import { expect } from 'chai'
import { exerciseFolder, type Folder } from './sandbox-folder.ts'

/** What a student's code may try, and what it gets: nothing but the values that it returns. */
describe('student code that tries to get out', () => {
  let folder: Folder
  beforeEach(() => {
    folder = exerciseFolder()
  })
  afterEach(() => folder.remove())

  /** The value of an expression inside the sandbox, or the error that it ends in. */
  const evaluate = async (expression: string): Promise<unknown> => {
    folder.write('a.ts', `export async function f() { return await (${expression}) }`)
    return await folder
      .open()
      .call('a.ts', 'f')
      .catch((error: Error) => `error: ${error.message}`)
  }

  it('finds no module that leads to files, processes, threads or the network', async () => {
    const ways = [
      `import('node:' + 'fs')`,
      `Function('return import("node:net")')()`,
      `(0, eval)('import("node:child_process")')`,
      `(async () => {}).constructor('return import("node:worker_threads")')()`,
      `globalThis['require']('fs')`,
      `(0, eval)('require')('node:fs')`,
      `process.getBuiltinModule('fs')`,
      `import('node:net')`,
      `import('node:inspector')`,
      `process.getBuiltinModule('worker_threads')`,
      `process.emit('exit')`,
      `process._linkedBinding('tcp_wrap')`,
      `process.binding('fs')`,
      `process.mainModule.require('fs')`,
      `module.constructor._load('fs')`,
      `fetch('http://127.0.0.1:1')`,
    ]
    for (const way of ways) expect(await evaluate(way), way).to.match(/^error: /)
  })

  it('has no globals that reach out of the process', async () => {
    const names = await evaluate(
      `['fetch', 'WebSocket', 'EventSource', 'Worker', 'MessageChannel', 'BroadcastChannel', 'require', 'fs', 'net', 'WebAssembly', 'navigator']
        .filter(name => name in globalThis)`,
    )
    expect(names).to.deep.equal([])
    expect(await evaluate(`Object.keys(process.env)`)).to.deep.equal([])
    expect(await evaluate(`[typeof process.kill, typeof process.send, typeof process.stdout]`)).to.deep.equal([
      'undefined',
      'undefined',
      'undefined',
    ])
  })

  it('cannot read files even with the real process in its hands', async () => {
    // As if the innermost wall were not there: the same process, asked from inside Node.
    const { spawnSync } = await import('node:child_process')
    const tries = `
      const results = []
      for (const attempt of [
        () => require('fs').readFileSync(${JSON.stringify(import.meta.filename)}),
        () => require('fs').writeFileSync('/tmp/out', ''),
        () => require('child_process').execSync('id'),
        () => require('child_process').fork('x'),
        () => new (require('worker_threads').Worker)('1', { eval: true }),
      ]) try { attempt(); results.push('done') } catch (error) { results.push(error.code) }
      console.log(JSON.stringify(results))`
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
    const { stdout } = spawnSync(process.execPath, [flag, '--no-warnings', '-e', tries], { encoding: 'utf8', cwd: '/' })
    expect(JSON.parse(stdout)).to.deep.equal(Array(5).fill('ERR_ACCESS_DENIED'))
  })

  it('cannot catch the objects of its host in changed prototypes', async () => {
    folder.write(
      'a.ts',
      `const caught: string[] = []
       const watch = (name: string) => function (this: unknown) { caught.push(name + ' ' + Object.prototype.toString.call(this)) }
       for (const name of ['handle', 'fd', '_handle', 'signal']) {
         try { Object.defineProperty(Object.prototype, name, { get: watch(name), configurable: true }) } catch { }
       }
       export const f = () => caught`,
    )
    const code = folder.open()
    await code.call('a.ts', 'f')
    expect(await code.call('a.ts', 'f')).to.deep.equal([])
  })

  it('cannot forge the answer to a question that is asked later, nor harm the check with what it writes', async () => {
    for (const forging of [`JSON.stringify =`, `(globalThis as any).JSON =`, `(globalThis as any).Buffer =`]) {
      folder.write('a.ts', `${forging} () => '{"id":3,"value":"forged"}'\nexport const f = () => 1`)
      const refused = await folder
        .open()
        .call('a.ts', 'f')
        .catch((error: Error) => error.message)
      expect(refused).to.match(/^Cannot assign to read only property/)
    }
  })

  it('prints without effect on the result', async () => {
    folder.write('a.ts', `export function f() { console.log('{"id":2,"value":true}\\nok 1 - passed'); return false }`)
    expect(await folder.open().call('a.ts', 'f')).to.equal(false)
  })

  it('does not reach another student: each has a process of its own', async () => {
    folder.write(
      'a.ts',
      `export function f() { const g = globalThis as { n?: number }; g.n = (g.n ?? 0) + 1; return g.n }`,
    )
    expect(await folder.open().call('a.ts', 'f')).to.equal(1)
    expect(await folder.open().call('a.ts', 'f')).to.equal(1)
  })

  it('has no way to a server on the same machine', async () => {
    let connections = 0
    const server = createServer(() => connections++).listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    try {
      const { port } = server.address() as { port: number }
      const attempt = await evaluate(
        `(() => { const out = []; for (const name of ['Socket', 'createConnection']) {
          try { new (Function('return ' + name)())({ port: ${port} }); out.push(name) } catch { } }
          return out })()`,
      )
      expect(attempt).to.deep.equal([])
      expect(connections).to.equal(0)
    } finally {
      server.close()
    }
  })
})
