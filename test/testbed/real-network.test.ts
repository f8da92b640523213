import { expect } from 'chai'
import { whyNoNamespaces } from '../../src/testbed/namespaces.ts'
import { whyNoRealNetwork } from '../../src/testbed/real-network.ts'
import { command } from '../support/command.ts'

describe('why there can be no network with real interfaces', () => {
  it('is said in one sentence where the system has no unshare', async () => {
    const ended = await command(['testbed', '--run', 'true'], { env: { PATH: '/nowhere' } })
    expect(ended).to.include({ status: 1, stdout: '' })
    expect(ended.stderr).to.match(
      /^(no network namespaces here: [^\n]*unshare[^\n]*|network namespaces are Linux's[^\n]*)\n$/,
    )
  })

  it('is said where TUN devices or a program are missing', function () {
    if (whyNoNamespaces() !== undefined) this.skip()
    expect(whyNoRealNetwork([], '/dev/net/nothing')).to.equal(
      'no TUN devices here, /dev/net/nothing cannot be opened (ENOENT): load the module with modprobe tun',
    )
    // Any device will do here that can be opened.
    expect(whyNoRealNetwork(['ip', 'no-such-program'], '/dev/null')).to.equal(
      'the command no-such-program is missing here',
    )
    expect(whyNoRealNetwork(['ip'], '/dev/null')).to.equal(undefined)
  })
})
