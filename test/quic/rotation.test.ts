import { expect } from 'chai'
import { Rotation, type Turning } from '../../src/quic/rotation.ts'

/** Wants so many packets to be served, now. */
class Member implements Turning {
  wantsTurn = false
  inRotation = false
  credit = 0
  readonly name: string
  packets: number

  constructor(name: string, packets: number) {
    this.name = name
    this.packets = packets
  }
}

describe('turns', () => {
  /** Who had a turn, and how many packets: `a16 b1`. */
  const serve = (rotation: Rotation<Member>, most: number): string => {
    const turns: string[] = []
    rotation.serve(most, (member, mostOfIt) => {
      const served = Math.min(member.packets, mostOfIt)
      member.packets -= served
      turns.push(`${member.name}${served}`)
      if (member.packets > 0) rotation.add(member)
      return Math.max(served, 1)
    })
    return turns.join(' ')
  }

  const rotationOf = (...members: Member[]): Rotation<Member> => {
    const rotation = new Rotation<Member>()
    for (const member of members) rotation.add(member)
    return rotation
  }

  it('are as long for everybody who wants much, and come round', () => {
    const rotation = rotationOf(new Member('a', 40), new Member('b', 100), new Member('c', 40))
    expect(serve(rotation, 48)).to.equal('a16 b16 c16')
    expect(serve(rotation, 48)).to.equal('a16 b16 c16')
    expect(serve(rotation, 24)).to.equal('a8 b16')
    expect(serve(rotation, 24)).to.equal('c8 b16')
    expect(serve(rotation, 24)).to.equal('b16')
    // Alone.
    expect(serve(rotation, 24)).to.equal('b20')
  })

  it('come at once for whoever wants little, also more than once a round', () => {
    const rotation = rotationOf(...['a', 'b', 'c', 'd'].map(name => new Member(name, 1000)))
    expect(serve(rotation, 64)).to.equal('a16 b16 c16 d16')
    const quiet = new Member('quiet', 0)
    for (let turn = 0; turn < 3; turn++) {
      quiet.packets = 1
      rotation.add(quiet)
      expect(serve(rotation, 1)).to.equal('quiet1')
    }
  })

  it('do not come at once again for one that has had its share of the round', () => {
    const rotation = rotationOf(...['a', 'b', 'c'].map(name => new Member(name, 1000)))
    const pretender = new Member('pretender', 16)
    rotation.add(pretender)
    expect(serve(rotation, 64)).to.equal('a16 b16 c16 pretender16')
    pretender.packets = 1
    rotation.add(pretender)
    expect(serve(rotation, 1)).to.equal('a16')
  })

  it('are longer for one that is alone, and nobody waits when nobody wants one', () => {
    const rotation = rotationOf(new Member('a', 60))
    expect(rotation.isWanted).to.equal(true)
    expect(serve(rotation, 64)).to.equal('a60')
    expect(rotation.isWanted).to.equal(false)
    expect(serve(rotation, 64)).to.equal('')
  })
})
