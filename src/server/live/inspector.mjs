// The packet inspector: the last samples, and one of them field by field.

import { make, setText } from './dom.mjs'
import { clockTime, nameOf } from './format.mjs'
import { describeSample, layersOf } from './layers.mjs'

/** Of one client, or of all. */
const KEPT = 200
const SHOWN = 12

export class Inspector {
  #list
  #detail
  #hold
  #of
  #samples = []
  /** The sample that is looked at; undefined: always the newest. */
  #chosen
  #shownDetail

  constructor({ list, detail, hold, of }) {
    this.#list = list
    this.#detail = detail
    this.#hold = hold
    this.#of = of
    hold.addEventListener('click', () => this.#choose(this.#chosen === undefined ? this.#shownDetail : undefined))
  }

  add(sample) {
    this.#samples.push(sample)
    if (this.#samples.length > KEPT) this.#samples.shift()
  }

  /** `client`: of this one only; undefined: of all. */
  show(client) {
    const samples = this.#samples.filter(sample => client === undefined || sample.client === client)
    if (this.#chosen !== undefined && client !== undefined && this.#chosen.client !== client) this.#chosen = undefined
    const isHeld = this.#chosen !== undefined
    this.#hold.setAttribute('aria-pressed', isHeld)
    this.#hold.disabled = samples.length === 0 && !isHeld
    setText(
      this.#of,
      samples.length === 0
        ? 'Nothing has passed since this page was opened.'
        : 'A few of all packets, the newest first. Choose one to hold it.',
    )
    // What somebody looks at, or is about to press, stays.
    if (!isHeld && !this.#list.contains(document.activeElement)) {
      this.#list.replaceChildren(
        ...samples
          .slice(-SHOWN)
          .reverse()
          .map(sample => this.#item(sample)),
      )
    }
    this.#showDetail(this.#chosen ?? samples.at(-1))
  }

  #item(sample) {
    const item = make('li')
    const button = make('button', undefined, {
      type: 'button',
      class: sample.direction === 'from-client' ? 'from' : 'to',
    })
    const name = make('bdi', nameOf({ identity: sample.identity, addresses: [], remote: sample.client }, 20))
    const arrow = sample.direction === 'from-client' ? ' → ' : ' ← '
    button.append(`${clockTime(sample.at)} `, name, arrow, describeSample(sample))
    button.addEventListener('click', () => this.#choose(sample))
    item.append(button)
    return item
  }

  #choose(sample) {
    this.#chosen = sample
    this.#hold.setAttribute('aria-pressed', sample !== undefined)
    this.#showDetail(sample ?? this.#shownDetail)
  }

  #showDetail(sample) {
    if (sample === this.#shownDetail) return
    this.#shownDetail = sample
    this.#detail.replaceChildren(...(sample === undefined ? [] : layersOf(sample).map(layerTable)))
  }
}

function layerTable({ name, rfc, note, fields }) {
  const table = make('table', undefined, { class: 'layer' })
  const caption = make('caption', name)
  if (rfc !== undefined) {
    const [number, section] = rfc
    const anchor = section === undefined ? '' : `#section-${section}`
    const link = make('a', `RFC ${number}${section === undefined ? '' : ` §${section}`}`, {
      href: `https://www.rfc-editor.org/rfc/rfc${number}.html${anchor}`,
      rel: 'noreferrer',
    })
    caption.append(' ', link)
  }
  if (note !== undefined) caption.append(' ', make('span', note, { class: 'note' }))
  table.append(caption)
  const body = make('tbody')
  for (const [field, value, hex] of fields) {
    const row = make('tr')
    row.append(make('th', field, { scope: 'row' }), make('td', value), make('td', hex, { class: 'hex' }))
    body.append(row)
  }
  table.append(body)
  return table
}
