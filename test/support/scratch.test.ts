import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { isRunning } from '../../src/process/is-running.ts'
import { until } from './loopback.ts'
import { ended } from './scratch.ts'

const module = fileURLToPath(new URL('scratch.ts', import.meta.url))
const PROGRAM = `
  import { spawn } from 'node:child_process'
  import { ended, scratchFolder } from ${JSON.stringify(module)}
  const folder = scratchFolder('masque-test-scratch-')
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  console.log(JSON.stringify({ folder, pid: child.pid }))
  await ended(child)
  console.log('a verdict')
`

describe('a program that works in a scratch folder', () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`leaves neither the folder nor a process behind after ${signal}, and gives no verdict`, async () => {
      const program: ChildProcess = spawn(
        process.execPath,
        ['--import=tsx', '--input-type=module', '--eval', PROGRAM],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      let output = ''
      program.stdout!.setEncoding('utf8').on('data', text => {
        output += text
      })
      await once(program.stdout!, 'data')
      const { folder, pid } = JSON.parse(output)
      expect(existsSync(folder)).to.equal(true)
      program.kill(signal)
      const [status] = await once(program, 'close')
      expect(status).to.equal(128 + constants.signals[signal])
      expect(existsSync(folder)).to.equal(false)
      // Ended it has; where the program could not wait for that, somebody else has to take note of it.
      await until(() => !isRunning(pid))
      expect(output).not.to.include('a verdict')
    })
  }

  it('is told how a program ended that leads a process group, and what that has started ends with it', async () => {
    if (process.platform === 'win32') return
    const program = spawn('sh', ['-c', 'sleep 1000 & echo $!; exit 3'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    })
    let pid = ''
    program.stdout.setEncoding('utf8').on('data', text => {
      pid += text
    })
    expect(await ended(program, { leads: true })).to.deep.equal([3, null])
    await until(() => !isRunning(Number(pid)))
  })
})
