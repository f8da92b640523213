/** Task 10 in front of the student: with connect-ip-go as the proxy of a second tunnel, where Go is installed. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { loadMutants } from '../../../labs/kit/grading/mutants.ts'
import { ROOT } from '../../../labs/kit/lab/registry.ts'
import { runCheck } from '../../../labs/kit/run/engine.ts'
import { lab } from '../../../labs/lab-03-protocol/lab.ts'
import { Scratch, said } from '../grade-lab.ts'

const mutants = (await loadMutants(ROOT, lab)).get('live')!.filter(({ withOthers }) => withOthers)

describe('labs/lab-03-protocol: the live task with software of others', function () {
  // Compiling it takes half a minute, once, where the machine has nothing else to do.
  this.timeout(240_000)
  const scratch = new Scratch(lab)
  const environment = { ...process.env }
  const task = lab.tasks.find(({ id }) => id === 'live')!
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'masque-live-'))
    // Nothing is downloaded for a test.
    process.env.GOPROXY = 'off'
  })
  afterEach(() => {
    for (const name of ['GOPROXY', 'PATH', 'XDG_CACHE_HOME']) {
      if (environment[name] === undefined) delete process.env[name]
      else process.env[name] = environment[name]
    }
    rmSync(folder, { recursive: true, force: true })
  })
  after(() => scratch.remove())

  const checked = (withOthers?: boolean) =>
    runCheck(lab, task, { root: scratch.root, mode: 'live', seed: 'ada', withOthers })

  it('is passed by the solution in both tunnels', async function () {
    scratch.solve()
    const { passed, feedback } = await checked()
    expect(passed, said({ feedback } as never)).to.equal(true)
    if (feedback.leftOut !== undefined) {
      console.log(`      skipped: ${feedback.leftOut}`)
      this.skip()
    }
    expect(feedback.found).to.match(/the same with connect-ip-go.*: address 10\.77\.0\.\d+, pings both ways$/)
  })

  it('rests on the rest where it is not there, and says what was not tried, why, and what to do', async () => {
    scratch.solve()
    process.env.PATH = folder
    process.env.XDG_CACHE_HOME = folder
    const { passed, feedback } = await checked()
    expect(passed, said({ feedback } as never)).to.equal(true)
    expect(feedback.leftOut).to.match(
      /^the same with connect-ip-go.*: Go is not installed \(.*https:\/\/go\.dev\/dl\)$/,
    )
  })

  it('has wrong solutions that our own proxy forgives, and no other', () => {
    expect(mutants.map(({ id }) => id)).to.deep.equal(['no-capsule-protocol'])
  })

  for (const mutant of mutants) {
    it(`finds out ${mutant.id}, in the words of the other side, and only with it`, async function () {
      scratch.solve(mutant)
      expect((await checked(false)).passed).to.equal(true)
      const { passed, feedback } = await checked()
      if (feedback.leftOut !== undefined) {
        console.log(`      skipped: ${feedback.leftOut}`)
        this.skip()
      }
      expect(passed).to.equal(false)
      expect(feedback.expected).to.match(/^in the tunnel to connect-ip-go, software of others: /)
      expect(feedback.found).to.include(`connect-ip-go said: it answered the request with status 400: ${mutant.says}`)
    })
  }
})
