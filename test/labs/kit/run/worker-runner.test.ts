import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../../../labs/kit/lab/registry.ts'
import type { Phase } from '../../../../labs/kit/lab/types.ts'
import { WorkerRunner } from '../../../../labs/kit/run/worker-runner.ts'
import { lab } from '../../../../labs/lab-01-deploy/lab.ts'
import { until } from '../../../support/loopback.ts'

describe('the process that runs checks for the terminal UI', () => {
  let root: string
  let scratch: string | undefined
  let runner: WorkerRunner
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'masque-worker-test-'))
    cpSync(join(ROOT, 'solutions', lab.id), join(root, 'labs', lab.id, 'exercises'), { recursive: true })
    scratch = process.env.MASQUE_LAB_SCRATCH
    process.env.MASQUE_LAB_SCRATCH = root
    runner = new WorkerRunner()
  })
  afterEach(async () => {
    await runner.close()
    if (scratch === undefined) delete process.env.MASQUE_LAB_SCRATCH
    else process.env.MASQUE_LAB_SCRATCH = scratch
    rmSync(root, { recursive: true, force: true })
  })

  it('runs a demonstration and a check, reports them as they go, and leaves nothing behind', async () => {
    const seen: Phase[][] = []
    const shown = await runner.demonstrate(lab, { onPhases: phases => seen.push([...phases]) })
    expect(shown.failure).to.equal(undefined)
    expect(seen.at(-1)!.every(phase => phase.state === 'done')).to.equal(true)
    expect(seen.length).to.be.greaterThan(5)

    const steps: number[] = []
    const task = lab.tasks.find(candidate => candidate.id === 'ping')!
    const result = await runner.check(lab, task, {
      root,
      mode: 'unattended',
      onEvent: event => {
        if (event.type === 'step') steps.push(event.steps.length)
      },
    })
    expect(result.passed, JSON.stringify(result.feedback)).to.equal(true)
    expect(steps.at(-1)).to.equal(result.steps.length)
    await runner.close()
    expect(readdirSync(root)).to.deep.equal(['labs'])
  })

  /**
   * Why a demonstration has failed in which `onPhases` interferes. That hears of a phase when this process gets its time: where that is not before the end, nothing
   * was interfered with, and it is shown again.
   */
  async function failure(onPhases: (phases: readonly Phase[], stop: AbortController) => void): Promise<string> {
    let found: string | undefined
    await until(async () => {
      const stop = new AbortController()
      const outcome = await runner.demonstrate(lab, {
        signal: stop.signal,
        onPhases: phases => onPhases(phases, stop),
      })
      found = outcome.failure
      if (found !== undefined) return true
      await runner.close()
      runner = new WorkerRunner()
      return false
    })
    return found as string
  }

  it('is stopped together with what it runs', async () => {
    const why = await failure((phases, stop) => {
      if (phases.some(phase => phase.id === 'certificates' && phase.state === 'done')) stop.abort()
    })
    expect(why).to.equal('stopped')
    await runner.close()
    expect(readdirSync(root)).to.deep.equal(['labs'])
  })

  it('tells when it has been killed from outside, and a new one takes over', async () => {
    const why = await failure(phases => {
      if (phases[0].state === 'running') runner.kill()
    })
    expect(why).to.include('SIGKILL')
    const task = lab.tasks.find(candidate => candidate.id === 'certificates')!
    expect((await runner.check(lab, task, { root, mode: 'unattended' })).passed).to.equal(true)
    await runner.close()
    expect(readdirSync(root)).to.deep.equal(['labs'])
  })
})
