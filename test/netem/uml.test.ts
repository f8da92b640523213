import { expect } from 'chai'
import { unfitProcessor } from '../../netem/uml/uml.ts'

describe('User Mode Linux', () => {
  it('on a processor with registers that it does not know cannot be used; any other end is an error', () => {
    const panic =
      'User Mode Linux ended before its script did; its last words:\nuserspace - ptrace set fp regs failed, errno = 14\nKernel panic - not syncing: Attempted to kill init!'
    expect(unfitProcessor(panic)).to.equal(
      'User Mode Linux cannot run programs on this processor (ptrace set fp regs failed, errno = 14)',
    )
    expect(unfitProcessor('Kernel panic - not syncing: VFS: Unable to mount root fs')).to.equal(undefined)
    expect(unfitProcessor('User Mode Linux was stopped: not finished after 60 s')).to.equal(undefined)
  })
})
