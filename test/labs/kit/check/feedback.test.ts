import { expect } from 'chai'
import { thrownAt } from '../../../../labs/kit/check/feedback.ts'
import { StudentError } from '../../../../labs/kit/student-code/types.ts'

describe('labs/kit: what the student is told of an error', () => {
  it('blames no file for an endless loop that may be in one which it imports', () => {
    const error = new StudentError('timeout', 'it had not ended after 3 s', { file: 'capsules.ts', during: 'f()' })
    expect(thrownAt(error)).to.equal('capsules.ts, or a file that it imports: it had not ended after 3 s')
  })
})
