// The emulated link in front of the proxy, where there is one: what it does, and how whoever has the token changes it.

import { element, make, setAttribute, setText } from './dom.mjs'
import { bitRate, clockTime, milliseconds, percent } from './format.mjs'

const KEPT = 'masque-lab-live-token'
const DIRECTIONS = ['fromClients', 'toClients']

const ROWS = [
  ['Delay', ({ delayMs }) => timeText(delayMs)],
  ['Jitter', ({ jitterMs }) => timeText(jitterMs)],
  ['Loss', ({ lossPercent, outage }) => (outage ? 'nothing passes' : lossText(lossPercent))],
  ['Rate', ({ rateKbit }) => (rateKbit === null ? 'no limit' : bitRate(rateKbit * 1000).join(' '))],
  ['Packets that came', ({ packets }) => String(packets.offered)],
  ['… passed', ({ packets }) => String(packets.delivered)],
  ['… lost', ({ packets }) => String(packets.lost)],
  ['… dropped', ({ packets }) => String(packets.dropped)],
]

export class LinkControls {
  #cells = []
  #token = takeToken()
  /** The name of the one that the link has. */
  #profile = ''

  constructor() {
    for (const [name, show] of ROWS) {
      const row = make('tr')
      row.append(make('th', name, { scope: 'row' }))
      for (const direction of DIRECTIONS) {
        const cell = make('td', '–', { class: 'number' })
        this.#cells.push({ cell, text: info => show(info[direction]) })
        row.append(cell)
      }
      element('link-values').append(row)
    }
    this.#onSubmit('link-profiles', () => ({ profile: element('link-profile').value }))
    this.#onSubmit('link-changes', () => ({
      direction: element('link-direction').value,
      delayMs: element('link-delay').value,
      jitterMs: element('link-jitter').value,
      lossPercent: element('link-loss').value,
      rateKbit: kbit(element('link-rate').value),
    }))
    // In a tab that shows the page already, an address with another token loads nothing anew.
    addEventListener('hashchange', () => {
      const token = tokenInAddress()
      if (token !== undefined) this.#keepToken(token)
    })
    this.#askForToken(this.#token === '')
  }

  /** What the proxy says once: those that can be chosen; null: there is no link. */
  describe(profiles) {
    element('link').hidden = profiles === null
    if (profiles === null) return
    const options = profiles.map(({ name, title }) => make('option', `${name}: ${title}`, { value: name }))
    element('link-profile').replaceChildren(...options)
    if (this.#profile !== '') element('link-profile').value = this.#profile
  }

  show(info) {
    const { address, profile, title, changes, timelineSeconds, running } = info
    const timeline = timelineSeconds === null ? '' : ` Its timeline is at ${Math.floor(timelineSeconds)} s.`
    const state = running
      ? `Clients that connect to ${address} go through it.`
      : 'It has ended, or stands still: nothing passes.'
    setText(
      element('link-note'),
      `${profile}: ${title}.${timeline} Changed ${changes === 1 ? 'once' : `${changes} times`}. ${state}`,
    )
    setAttribute(element('link'), 'data-profile', profile)
    // Only when it is another one: what somebody is about to choose stays.
    if (profile !== this.#profile) element('link-profile').value = profile
    this.#profile = profile
    for (const { cell, text } of this.#cells) setText(cell, text(info))
  }

  #onSubmit(form, values) {
    element(form).addEventListener('submit', event => {
      event.preventDefault()
      // What is left empty stays as it is.
      const wanted = Object.entries(values()).filter(([, value]) => value !== '')
      if (wanted.every(([name]) => name === 'direction')) this.#say('Not changed: no value is given.')
      else this.#change(new URLSearchParams(wanted))
    })
  }

  async #change(wanted) {
    const field = element('link-token')
    const token = this.#token === '' ? field.value.trim() : this.#token
    if (token === '') {
      this.#askForToken(true)
      this.#say('The token of the API is needed.')
      field.focus()
      return
    }
    try {
      const headers = { Authorization: `Bearer ${token}` }
      const response = await fetch(`../api/v1/link?${wanted}`, { method: 'POST', headers })
      const answer = await response.json()
      if (response.status === 401 || response.status === 403) this.#keepToken('')
      else this.#keepToken(token)
      if (response.ok) this.show(answer)
      this.#say(response.ok ? `Changed at ${clockTime(Date.now())}.` : `Not changed: ${answer.detail}`)
    } catch {
      this.#say('Not changed: the proxy does not answer.')
    }
  }

  #keepToken(token) {
    this.#token = token
    keep(token)
    this.#askForToken(token === '')
  }

  #askForToken(isAsked) {
    element('link-token-field').hidden = !isAsked
  }

  #say(text) {
    setText(element('link-said'), text)
  }
}

function timeText(ms) {
  return ms === 0 ? 'none' : milliseconds(ms).join(' ')
}

function lossText(lossPercent) {
  return lossPercent === null ? 'by its model' : percent(lossPercent / 100).join(' ')
}

/** Only 0 is no limit: whoever wants less than can be said gets the least. */
function kbit(mbit) {
  if (mbit === '' || Number(mbit) === 0) return mbit
  return String(Math.max(1, Math.round(Number(mbit) * 1000)))
}

/** What the proxy has printed stands behind the address: nobody else gets it, and it does not stay to be seen on a projector. */
function tokenInAddress() {
  const found = /^#token=([!-~]{1,200})$/.exec(location.hash)?.[1]
  if (found !== undefined) history.replaceState(null, '', location.pathname)
  return found
}

function takeToken() {
  const found = tokenInAddress()
  if (found !== undefined) {
    keep(found)
    return found
  }
  try {
    return sessionStorage.getItem(KEPT) ?? ''
  } catch {
    return ''
  }
}

function keep(token) {
  try {
    if (token === '') sessionStorage.removeItem(KEPT)
    else sessionStorage.setItem(KEPT, token)
  } catch {
    // A browser that keeps nothing for pages: it holds until the page is loaded anew.
  }
}
