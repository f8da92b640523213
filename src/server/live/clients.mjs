// The table of clients. It says in words what the topology draws, and is where a client is chosen by keyboard.

import { make, setAttribute, setText } from './dom.mjs'
import { bitRate, duration, milliseconds, nameOf, percent, visible } from './format.mjs'

const COLUMNS = ['addresses', 'carrier', 'number', 'number', 'number', 'number', 'number']

export class ClientTable {
  #body
  #onChoose
  /** By client id. */
  #rows = new Map()

  constructor(table, { onChoose }) {
    this.#body = table.tBodies[0]
    this.#onChoose = onChoose
  }

  /** The clients come in the order in which they have come to the proxy: a row never moves up or down past another. */
  update(clients, history, chosen) {
    const here = new Set(clients.map(({ id }) => id))
    for (const [id, { row }] of this.#rows) {
      if (here.has(id)) continue
      row.remove()
      this.#rows.delete(id)
    }
    for (const client of clients) {
      const shown = this.#rows.get(client.id) ?? this.#add(client)
      const series = history.of(client.id)
      const isChosen = client.id === chosen
      setAttribute(shown.button, 'aria-pressed', isChosen)
      setAttribute(shown.row, 'class', isChosen ? 'chosen' : '')
      setText(shown.name, nameOf(client))
      const texts = [
        client.addresses.map(visible).join('  '),
        carrierOf(client),
        ...[bitRate(series?.last('fromClients') ?? null), bitRate(series?.last('toClients') ?? null)].map(join),
        client.quic === undefined ? 'not told' : join(milliseconds(series?.last('rtt') ?? null)),
        client.quic === undefined ? 'not told' : join(percent(series?.last('loss') ?? null)),
        duration(Math.max(0, (Date.now() - Date.parse(client.connectedAt)) / 1000)),
      ]
      texts.forEach((text, i) => {
        setText(shown.cells[i], text)
      })
    }
  }

  #add(client) {
    const row = make('tr')
    const head = make('th', undefined, { scope: 'row' })
    const button = make('button', undefined, { type: 'button' })
    const name = make('bdi')
    button.append(name)
    head.append(button)
    button.addEventListener('click', () => this.#onChoose(client.id))
    const cells = COLUMNS.map(kind => make('td', '', { class: kind }))
    row.append(head, ...cells)
    this.#body.append(row)
    const shown = { row, button, name, cells }
    this.#rows.set(client.id, shown)
    return shown
  }
}

const CARRIERS = { h3: 'HTTP/3', h2: 'HTTP/2', h1: 'HTTP/1.1', webtransport: 'WebTransport' }

export function carrierOf({ carrier, encapsulation }) {
  return `${CARRIERS[carrier] ?? carrier}, ${ENCAPSULATIONS[encapsulation] ?? encapsulation}`
}

const ENCAPSULATIONS = {
  datagram: 'datagrams',
  'single-stream': 'one stream',
  'stream-per-packet': 'a stream a packet',
}

const join = parts => parts.join(' ')
