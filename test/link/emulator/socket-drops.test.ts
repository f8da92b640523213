import { expect } from 'chai'
import { countDrops, hexPort } from '../../../src/link/emulator/socket-drops.ts'

describe('datagrams that the kernel dropped', () => {
  const table = [
    '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops            ',
    '  100: 0100007F:1151 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1234 2 0000000000000000 7         ',
    '  101: 0100007F:1152 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1235 2 0000000000000000 30        ',
    '',
  ].join('\n')

  it('are the sum of the last column over the ports asked for', () => {
    expect(hexPort(4433)).to.equal('1151')
    expect(countDrops(table, new Set(['1151']))).to.equal(7)
    expect(countDrops(table, new Set(['1151', '1152']))).to.equal(37)
    expect(countDrops(table, new Set(['FFFF']))).to.equal(0)
  })

  it('are none when the table is of another kind', () => {
    expect(countDrops('what is this', new Set(['1151']))).to.equal(0)
  })
})
