import { join } from 'node:path'
import { expect } from 'chai'
import type { PanelProps } from '../../../../labs/kit/lab/types.ts'
import { printChecks } from '../../../../labs/kit/plain/plain.ts'
import { ProgressStore } from '../../../../labs/kit/run/progress.ts'
import { sampleLab, sampleRoot, sampleTask } from '../sample-lab.ts'

describe('checks as text', () => {
  let place: ReturnType<typeof sampleRoot>
  beforeEach(() => {
    place = sampleRoot()
  })
  afterEach(() => place.remove())

  it('say nothing about a task whose check was stopped, and count no try', async () => {
    const stop = new AbortController()
    const task = sampleTask({
      check: () => {
        stop.abort(new Error('Ctrl-C'))
        return new Promise(() => {})
      },
    })
    const lab = sampleLab([task])
    const store = new ProgressStore(join(place.root, 'progress'))
    let text = ''
    const out = { write: (lines: string) => void (text += lines), width: 80 }
    expect(await printChecks(lab, [task], 'live', { root: place.root, store, out, signal: stop.signal })).to.equal(
      false,
    )
    expect(text).to.equal('')
    expect(store.task(lab.id, task.id)).to.include({ state: 'open', attempts: 0 })
  })

  it('have what every view of the panel says in words, each at its last step', async () => {
    const lines = ({ view, step, inWords }: PanelProps) => [
      [{ text: `${view ?? 'its own'}, step ${step}, ${inWords}` }],
    ]
    const panel = Object.assign(() => null, {
      lines,
      views: () => ['window'],
      steps: ({ view }: PanelProps) => (view === undefined ? 3 : 2),
    })
    const task = sampleTask({ panel: async () => panel })
    const lab = sampleLab([task])
    const store = new ProgressStore(join(place.root, 'progress'))
    let text = ''
    const out = { write: (lines: string) => void (text += lines), width: 80 }
    expect(await printChecks(lab, [task], 'live', { root: place.root, store, out })).to.equal(true)
    expect(text).to.include('its own, step 2, true\n\nwindow, step 1, true\n')
  })
})
