// The live view: what the proxy tells each second, shown. Nothing is asked again and again: one stream of events brings it all.

import { Charts } from './charts.mjs'
import { ClientTable } from './clients.mjs'
import { element, make, setText } from './dom.mjs'
import { EventStream } from './event-stream.mjs'
import { bitRate, clockTime, milliseconds, nameOf, percent } from './format.mjs'
import { History } from './history.mjs'
import { Inspector } from './inspector.mjs'
import { LinkControls } from './link.mjs'
import { Timeline } from './timeline.mjs'
import { Topology } from './topology.mjs'

const root = document.documentElement
const history = new History()
const charts = new Charts()
const topology = new Topology(element('topology'), { onChoose: choose })
const table = new ClientTable(element('clients'), { onChoose: choose })
const inspector = new Inspector({
  list: element('samples'),
  detail: element('layers'),
  hold: element('hold'),
  of: element('packets-note'),
})
const link = new LinkControls()
const timeline = new Timeline({ list: element('capsules'), note: element('capsules-note') })

let status
let clients = []
/** The id of the client that is looked at; undefined: all of them. */
let chosen

// -- what comes --------------------------------------------------------------------------------------------------

const handlers = {
  status(data) {
    status = data
  },
  // It comes right behind the status that it belongs to.
  clients(data) {
    if (status === undefined) return
    clients = data
    history.add(status.uptimeSeconds, status, clients)
    if (chosen !== undefined && !clients.some(({ id }) => id === chosen)) chosen = undefined
    show()
  },
  packet: sample => inspector.add(sample),
  capsule: event => timeline.add(event),
  link: info => link.show(info),
}

const stream = new EventStream(`../api/v1/events?types=${Object.keys(handlers).join(',')}`, {
  onEvent: (type, data) => handlers[type]?.(data),
  onState: showState,
})

let state = { state: 'waiting' }

function showState(now) {
  if (now.state === 'live' && state.state !== 'live') describeProxy()
  state = now
  root.dataset.state = state.state
  element('state').dataset.state = state.state
  setText(element('state'), stateText())
}

/** It does not count the seconds: a screen reader would read each of them. */
function stateText() {
  if (state.state === 'live') return 'Live'
  const from = state.since === undefined ? 'No data yet' : `Old data, since ${clockTime(state.since)}`
  return `${from}: ${state.why}. Trying again …`
}

/** What does not change while a proxy runs: asked for each time that there is one. */
async function describeProxy() {
  try {
    const about = await fetch('about.json').then(response => response.json())
    setText(element('proxy'), `proxy at ${about.listen} · version ${about.version}`)
    topology.showHosts(about.hosts)
    element('join').hidden = !about.hasBrowserPage
    link.describe(about.linkProfiles)
    timeline.begin(await fetch('capsules.json').then(response => response.json()))
  } catch {
    // The stream ends then, too, and says so.
  }
}

// -- what is shown -----------------------------------------------------------------------------------------------

function choose(id) {
  chosen = chosen === id ? undefined : id
  show()
}

function show() {
  // Nobody sees it; the history goes on.
  if (document.hidden || status === undefined) return
  const { all } = history
  showNumber('clients', [String(status.tunnels), ''])
  showNumber('from', bitRate(all.last('fromClients')))
  showNumber('to', bitRate(all.last('toClients')))
  showNumber('rtt', milliseconds(all.last('rtt')))
  showNumber('loss', percent(all.last('loss')))
  const one = clients.find(({ id }) => id === chosen)
  const of = one === undefined ? 'all clients' : nameOf(one)
  setText(element('charts-of'), of)
  setText(element('rtt-note'), one === undefined ? 'median and slowest' : 'as QUIC measures it')
  charts.show(one === undefined ? all : history.of(chosen), of, one !== undefined)
  topology.update(
    clients,
    id => ({
      fromClients: history.of(id)?.last('fromClients') ?? null,
      toClients: history.of(id)?.last('toClients') ?? null,
    }),
    chosen,
  )
  table.update(clients, history, chosen)
  inspector.show(chosen)
  timeline.show(chosen)
  const rest = status.tunnels - clients.length
  setText(
    element('clients-note'),
    status.tunnels === 0
      ? 'There is no client yet.'
      : `${rest > 0 ? `The first ${clients.length} of ${status.tunnels} are shown. ` : ''}Choose one to see it alone.`,
  )
}

function showNumber(name, [value, unit]) {
  const node = element(`n-${name}`)
  if (node.dataset.shown === `${value} ${unit}`) return
  node.dataset.shown = `${value} ${unit}`
  node.replaceChildren(value, ...(unit === '' ? [] : [make('span', unit, { class: 'unit' })]))
}

document.addEventListener('visibilitychange', show)

// -- colours -----------------------------------------------------------------------------------------------------

const SCHEME = 'masque-lab-live-scheme'

function setScheme(scheme) {
  if (scheme === '') delete root.dataset.scheme
  else root.dataset.scheme = scheme
  charts.recolour()
}

const scheme = element('scheme')
scheme.addEventListener('change', () => {
  setScheme(scheme.value)
  try {
    localStorage.setItem(SCHEME, scheme.value)
  } catch {
    // A browser that keeps nothing for pages: the choice holds for this one.
  }
})
try {
  const kept = localStorage.getItem(SCHEME)
  if (['light', 'dark'].includes(kept)) scheme.value = kept
} catch {}
setScheme(scheme.value)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => charts.recolour())

stream.run()
