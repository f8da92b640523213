import { expect } from 'chai'
import { Cleanup } from '../../../labs/kit/check/cleanup.ts'
import { COURSES_KEY, type WindowCourse } from '../../../labs/kit/check/window-recorder.ts'
import { linkWith, startTestbed } from '../../../labs/lab-04-impairment/live.ts'
import { IS_TYPESCRIPT } from '../../support/which-engine.ts'

describe('labs/lab-04-impairment: the testbed of a check', function () {
  this.timeout(60_000)

  it('has the window of its first tunnel for the panel, and gives everything back', async () => {
    const cleanup = new Cleanup()
    let courses: WindowCourse[] = []
    const context = {
      mode: 'live' as const,
      signal: new AbortController().signal,
      defer: (undo: () => unknown) => cleanup.defer(undo),
      do: async <T>(_: string, action: () => T | Promise<T>): Promise<T> => await action(),
      show(key: string, value: unknown) {
        if (key === COURSES_KEY) courses = value as WindowCourse[]
      },
    }
    try {
      const bed = await startTestbed(context, { profile: linkWith('clean', {}), seed: '1' })
      expect(bed.client.connected).to.equal(true)
    } finally {
      await cleanup.run()
    }
    const [course, ...others] = courses
    expect(others).to.deep.equal([])
    expect(course).to.deep.include({ title: 'in datagrams', engine: IS_TYPESCRIPT ? 'typescript' : 'quiche' })
    expect(course!.cwnd[0]).to.be.above(2400)
    expect(course!.inFlight[0] === undefined).to.equal(!IS_TYPESCRIPT)
  })
})
