import { existsSync } from 'node:fs'
import { expect } from 'chai'
import { TunError } from '../../../src/hosts/tun/errors.ts'
import { openTun, type TunOptions, tunCaution } from '../../../src/hosts/tun/open-tun.ts'
import { onPlatform } from '../../support/platform.ts'

describe('the TUN device of this system', () => {
  function refused(platform: NodeJS.Platform, options: TunOptions = {}): TunError {
    try {
      onPlatform(platform, () => openTun(options))
    } catch (error) {
      if (error instanceof TunError) return error
      throw error
    }
    throw new Error('it was opened')
  }

  it('is that of macOS, with the names of macOS', () => {
    expect(refused('darwin', { name: 'masque0' }).message).to.include('expected utun0, utun1 and so on')
  })

  it('needs wintun.dll on Windows, and says where from and where to', function () {
    if (existsSync('wintun.dll')) this.skip()
    expect(refused('win32'))
      .to.have.property('message')
      .that.matches(
        /^wintun\.dll is missing, .*: get it from https:\/\/www\.wintun\.net, and put the one for \w+ into \S+$/,
      )
  })

  it('is refused in one sentence elsewhere, and with what is for Linux only', () => {
    expect(refused('aix').message).to.equal('there are no TUN devices for aix yet: leave the TUN device out')
    for (const platform of ['darwin', 'win32'] as const) {
      expect(refused(platform, { offload: true }).message).to.include('leave out --tun-offload, or offload in [tun]')
    }
  })

  it('comes with a caution where it has never run', () => {
    expect(onPlatform('linux', tunCaution)).to.equal(undefined)
    expect(onPlatform('darwin', tunCaution)).to.include('never run on real hardware')
    expect(onPlatform('win32', tunCaution)).to.include('never run on real hardware')
  })
})
