/**
 * Whose turn it is: the order in which an endpoint serves its connections.
 *
 *   wants a turn --->  lane      each goes as often as it has credit
 *               \
 *                --->  rotation  each has one turn a round, with new credit, and leaves when it is reached and wants nothing
 *
 * A turn costs packets. So whoever wants little finds the lane free, and does not wait for those who want much: their credit is used up
 * with their first turn in a round. This is Deficit Round Robin (Shreedhar and Varghese, 1995) with new queues before old ones, as in RFC
 * 8290 §4.1.
 */

/** What a member may have in a round, in packets. */
const CREDIT = 16

/** What takes turns. The fields are the rotation's. */
export interface Turning {
  wantsTurn: boolean
  inRotation: boolean
  /** What is left of its credit in this round; below 0 when its last turn has cost more. */
  credit: number
}

export class Rotation<T extends Turning> {
  #lane: T[] = []
  #rotation: T[] = []

  /** Asks for a turn. */
  add(member: T): void {
    if (member.wantsTurn) return
    member.wantsTurn = true
    if (!member.inRotation) {
      member.inRotation = true
      member.credit = CREDIT
      this.#rotation.push(member)
    }
    if (member.credit > CREDIT / 2) this.#lane.push(member)
  }

  /** Whether anybody wants a turn. */
  get isWanted(): boolean {
    return this.#rotation.some(({ wantsTurn }) => wantsTurn)
  }

  /** Gives turns until they have cost about `most`. `turn` is told what it may cost and returns what it has cost. */
  serve(most: number, turn: (member: T, most: number) => number): void {
    const lane = this.#lane
    const rotation = this.#rotation
    const isAlone = rotation.length === 1
    this.#lane = []
    this.#rotation = []
    let left = most
    const give = (member: T): void => {
      const { credit } = member
      member.wantsTurn = false
      // One that wants more at the end of its turn does not want little.
      member.credit = 0
      const cost = turn(member, credit)
      member.credit = credit - cost
      left -= cost
    }
    let served = 0
    // Who is alone overtakes nobody.
    for (; !isAlone && served < lane.length && left > 0; served++) if (lane[served].wantsTurn) give(lane[served])
    if (!isAlone) this.#lane = lane.slice(served).concat(this.#lane)

    for (served = 0; served < rotation.length && left > 0; served++) {
      const member = rotation[served]
      member.inRotation = member.wantsTurn
      if (!member.wantsTurn) continue
      member.credit = isAlone ? most : CREDIT
      this.#rotation.push(member)
      give(member)
    }
    this.#rotation = rotation.slice(served).concat(this.#rotation)
  }
}
