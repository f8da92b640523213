// The capsules, in the order in which they were exchanged: who assigned what, who routes what.

import { make, setText } from './dom.mjs'
import { clockTime, nameOf, visible } from './format.mjs'

const KEPT = 200
const SHOWN = 40

const SECTIONS = {
  ADDRESS_ASSIGN: 'RFC 9484 §4.7.1',
  ADDRESS_REQUEST: 'RFC 9484 §4.7.2',
  ROUTE_ADVERTISEMENT: 'RFC 9484 §4.7.3',
}

export class Timeline {
  #list
  #note
  #events = []
  #leftOut = 0
  /** What is in the document now. */
  #shown = []

  constructor({ list, note }) {
    this.#list = list
    this.#note = note
  }

  /** What was exchanged before this page was opened. What has come meanwhile may be among it. */
  begin({ events, leftOut }) {
    const last = events.at(-1)?.at ?? 0
    this.#events = [...events, ...this.#events.filter(({ at }) => at > last)].slice(-KEPT)
    this.#leftOut = leftOut
  }

  add(event) {
    this.#events.push(event)
    if (this.#events.length > KEPT) this.#events.shift()
  }

  /** `client`: of this one only; undefined: of all. */
  show(client) {
    const events = this.#events.filter(event => client === undefined || event.client === client)
    const shown = events.slice(-SHOWN).reverse()
    const leftOut = this.#leftOut === 0 ? '' : ` ${this.#leftOut} were not told: they were too many.`
    setText(this.#note, (events.length === 0 ? 'None yet.' : 'The newest first.') + leftOut)
    if (shown.length === this.#shown.length && shown.every((event, i) => event === this.#shown[i])) return
    this.#shown = shown
    this.#list.replaceChildren(...shown.map(row))
  }
}

function row({ at, client, identity, direction, capsule, entries, count }) {
  const item = make('tr')
  const isFrom = direction === 'from-client'
  const who = make('th', undefined, { scope: 'row' })
  who.append(make('bdi', nameOf({ identity, addresses: [], remote: client }, 20)))
  const name = make('td', `${isFrom ? '→' : '←'} ${capsule}`, { class: isFrom ? 'from' : 'to' })
  const more = count > entries.length ? `, and ${count - entries.length} more` : ''
  const text = count === 0 ? 'none' : entries.map(visible).join(', ') + more
  item.append(
    make('td', clockTime(at)),
    who,
    name,
    make('td', SECTIONS[capsule] ?? 'a draft', { class: 'note' }),
    make('td', text, { class: 'content' }),
  )
  return item
}
