// Where each client stands: it keeps its place while others come and go.

export class Slots {
  #ids = []

  /** The ids by place; undefined: nobody stands there now. A newcomer takes the first free place. */
  update(ids) {
    const here = new Set(ids)
    this.#ids = this.#ids.map(id => (here.has(id) ? id : undefined))
    const placed = new Set(this.#ids)
    for (const id of ids) {
      if (placed.has(id)) continue
      const free = this.#ids.indexOf(undefined)
      if (free === -1) this.#ids.push(id)
      else this.#ids[free] = id
    }
    // Where all stand depends on how many places there are: the last ones stay until half of all are free.
    if (here.size * 2 <= this.#ids.length) {
      while (this.#ids.length > 0 && this.#ids.at(-1) === undefined) this.#ids.pop()
    }
    return [...this.#ids]
  }
}

/**
 * The places of `count` clients on the left of the proxy, which is at (`x`, `y`), in an area of this height: on an arc, or, when
 * they are many, on two, each in the gaps of the other.
 */
export function arc({ count, x, y, radius, height }) {
  const rows = Math.max(1, count)
  const isDouble = rows > SINGLE_ARC
  const step = rows === 1 ? 0 : height / (rows - 1)
  return Array.from({ length: rows }, (_, i) => {
    const dy = rows === 1 ? 0 : -height / 2 + i * step
    const reach = isDouble && i % 2 === 1 ? radius * 0.72 : radius
    const bend = Math.sqrt(Math.max(0, 1 - (dy / (height / 2)) ** 2 * 0.5))
    return { x: x - reach * bend, y: y + dy }
  })
}

/** With more clients there is no room for a name beside each. */
export const SINGLE_ARC = 30
export const LARGE_NAMES = 14
