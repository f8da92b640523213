import { expect } from 'chai'
import { dateField } from '../../src/carriers/date.ts'

describe('the field "Date" (RFC 9110 §5.6.7, §6.6.1)', () => {
  it('H3-08 is written as the example of the RFC', () => {
    expect(dateField(new Date(Date.UTC(1994, 10, 6, 8, 49, 37, 999)))).to.deep.equal([
      'date',
      'Sun, 06 Nov 1994 08:49:37 GMT',
    ])
  })
})
