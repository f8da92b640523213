import { expect } from 'chai'
import { takenPortHint, USER_PORTS, userPorts } from '../../src/net/user-ports.ts'

describe('the ports of a user', () => {
  it('are the same for the same user, and of nobody else among 5680 accounts in a row', () => {
    expect(userPorts(1000)).to.deep.equal({ proxy: 14_000, api: 14_001, link: 14_002, prometheus: 14_003 })
    expect(userPorts(1000)).to.deep.equal(userPorts(1000 + USER_PORTS.users))
    for (const from of [0, 1000, 100_000, 2 ** 32 - 1 - USER_PORTS.users]) {
      const all = Array.from({ length: USER_PORTS.users }, (_, i) => Object.values(userPorts(from + i))).flat()
      expect(new Set(all).size).to.equal(USER_PORTS.users * USER_PORTS.each)
      expect(Math.min(...all)).to.equal(10_000)
      // From 32 768 on, Linux gives ports to whoever asks for any.
      expect(Math.max(...all)).to.be.below(32_768)
    }
  })

  it('are named where another port is taken, and where one of them is, with the rule and what to do', () => {
    expect(takenPortHint(4433, 1000)).to.equal(
      '; on a machine that you share, 14000 to 14003 are yours (npm run lab -- --ports)',
    )
    for (const port of Object.values(userPorts(6681)))
      expect(takenPortHint(port, 6681)).to.match(
        new RegExp(
          `^; ${port} is one of yours, .*10000 \\+ 4 \\* \\(6681 mod 5680\\).*any free one from 1024 to 32767`,
        ),
      )
  })
})
