/** Wrong solutions of `histogram`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('histogram.ts', {
  'by-place': {
    misconception: 'buckets are matched by their place',
    says: 'not by their place',
    edits: [
      [
        `const earlier = new Map(before.map(({ le, count }) => [le, count]))
        return after.map(({ le, count }) => {
          const then = earlier.get(le) ?? 0`,
        `return after.map(({ le, count }, index) => {
          const then = before[index]?.count ?? 0`,
      ],
    ],
  },
  'counts-go-down': {
    misconception: 'impossible counts are taken as they are',
    says: 'as high as that one',
    edits: [['highest = Math.max(highest, count)', 'highest = count']],
  },
  'empty-is-zero': {
    misconception: 'no observations give 0',
    says: 'NaN, not 0',
    edits: [['if (!(observations > 0)) return Number.NaN', 'if (!(observations > 0)) return 0']],
  },
  'count-above-the-rank': {
    misconception: 'the bucket is the first one whose count is above the rank',
    says: 'the highest value, with an empty bucket before the last',
    edits: [['bucket.count >= rank', 'bucket.count > rank']],
  },
  'first-bucket-from-the-bound': {
    misconception: 'the first bucket has no lower bound',
    says: 'The first one begins at 0',
    edits: [['start = index === 0 ? 0', 'start = index === 0 ? end']],
  },
  infinity: {
    misconception: 'a rank in the last bucket is infinite',
    says: 'has no end',
    edits: [['if (index === last) return sorted[last - 1].le', 'if (index === last) return Infinity']],
  },
  'middle-of-the-bucket': {
    misconception: 'the middle of the bucket',
    says: 'spread evenly',
    edits: [['(rank - below) / (sorted[index].count - below)', '0.5']],
  },
  'negative-from-zero': {
    misconception: 'a first bucket below 0 is interpolated from 0',
    says: 'no known beginning',
    edits: [['if (index === 0 && end <= 0) return end', '']],
  },
  'not-cumulative': {
    misconception: 'counts are added up once more',
    says: 'cumulative already',
    edits: [
      [
        'const sorted = monotonic([...buckets].sort((a, b) => a.le - b.le))',
        `let sum = 0
        const sorted = monotonic([...buckets].sort((a, b) => a.le - b.le)).map(({ le, count }) => ({
          le,
          count: (sum += count),
        }))`,
      ],
    ],
  },
  'not-sorted': {
    misconception: 'buckets are taken as they come',
    says: 'any order',
    edits: [['[...buckets].sort((a, b) => a.le - b.le)', '[...buckets]']],
  },
  'q-clamped': {
    misconception: 'q is brought between 0 and 1',
    says: 'so that a mistake is seen',
    edits: [
      [
        `if (q < 0) return -Infinity
        if (q > 1) return Infinity`,
        '',
      ],
      ['const rank = q * observations', 'const rank = Math.min(1, Math.max(0, q)) * observations'],
    ],
  },
  'restart-is-negative': {
    misconception: 'a restart of the server gives negative counts',
    says: 'began at 0 again',
    edits: [['return { le, count: count < then ? count : count - then }', 'return { le, count: count - then }']],
  },
  'restart-is-nothing': {
    misconception: 'after a restart nothing has happened',
    says: 'began at 0 again',
    edits: [['count < then ? count : count - then', 'Math.max(0, count - then)']],
  },
  'total-of-the-last-bound': {
    misconception: 'observations beyond the last bound are not counted',
    says: 'count of the last bucket',
    edits: [['const observations = sorted[last].count', 'const observations = sorted[last - 1].count']],
  },
  'sorts-in-place': {
    misconception: "the caller's own list is sorted",
    says: 'read only property',
    edits: [['[...buckets].sort(', '(buckets as Bucket[]).sort(']],
  },
  'upper-bound': {
    misconception: 'the upper bound of the bucket, without interpolation',
    says: 'spread evenly',
    edits: [['return start + (end - start) * ((rank - below) / (sorted[index].count - below))', 'return end']],
  },
})
