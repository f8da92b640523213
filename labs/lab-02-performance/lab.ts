/** Lab 2 as data. The checks are in harness.ts, which is loaded when the first of them runs. */
import { checksOf, defineLab } from '../kit/declare.ts'

const check = checksOf(() => import('./harness.ts'))

export const lab = defineLab({
  id: 'lab-02-performance',
  number: 2,
  title: 'Performance: predict, measure, explain',
  summary: 'x',
  objectives: ['x'],
  prerequisites: [],
  minutes: 240,
  panel: async () => (await import('./ui.tsx')).Charts,
  reading: ['x'],
  tasks: [
    {
      id: 'path-mtu',
      title: 'x',
      kind: 'coding',
      points: 10,
      files: ['path-mtu.ts'],
      brief: 'x',
      hints: ['x'],
      reading: ['x'],
      check: check('checkPathMtu'),
    },
    {
      id: 'histogram',
      title: 'x',
      kind: 'coding',
      points: 10,
      files: ['histogram.ts'],
      brief: 'x',
      hints: ['x'],
      reading: ['x'],
      check: check('checkHistogram'),
    },
  ],
})
