// What the page shows, and what its buttons do.

import { equal, formatAddress, parseAddress } from './bytes.mjs'
import { describePacket, fieldsOf } from './packets.mjs'
import { Tunnel } from './tunnel.mjs'

/** Older packets leave the list: a page that is left open must not grow for ever. */
const MAX_PACKETS = 100
const MAX_PINGS = 20

const element = id => document.getElementById(id)
const started = performance.now()
let tunnel

// -- the connection ----------------------------------------------------------------------------------------------

const access = await fetch('connection.json').then(response => response.json())
element('proxy').textContent = urlOf('')
element('token-line').hidden = !access.needsToken
if (access.certificateProblem)
  showStatus('error', `The browser may refuse the proxy's certificate: ${access.certificateProblem}.`)
if (!('WebTransport' in globalThis)) {
  showStatus(
    'error',
    'This browser has no WebTransport, or has it not here: the page must come from 127.0.0.1, localhost or by https.',
  )
} else element('connect').disabled = false

/** A page cannot set header fields, so a token goes into the query. */
function urlOf(token) {
  const host = access.host ?? location.hostname
  const query = token === '' ? '' : `?token=${encodeURIComponent(token)}`
  return `https://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${access.port}${access.path}${query}`
}

element('connect-form').addEventListener('submit', async event => {
  event.preventDefault()
  element('connect').disabled = true
  showStatus('waiting', 'Connecting …')
  const hash = Uint8Array.from(atob(access.certificateHash), character => character.charCodeAt(0))
  try {
    tunnel = await Tunnel.open(urlOf(element('token').value.trim()), access.certificateProblem ? undefined : hash)
    element('disconnect').disabled = false
    element('ping').disabled = false
    showStatus('waiting', 'Connected; waiting for addresses …')
    tunnel.begin(listener)
  } catch {
    element('connect').disabled = false
    const token = access.needsToken ? ', or the token is not one that it knows' : ''
    showStatus(
      'error',
      `No tunnel: the proxy does not answer, or refuses${token}. A browser does not say which; the proxy's log does.`,
    )
  }
})

element('disconnect').addEventListener('click', () => tunnel?.close())

const listener = {
  onAddresses(addresses) {
    const texts = addresses.map(({ address, prefixLength }) => `${formatAddress(address)}/${prefixLength}`)
    showList('addresses', texts)
    element('room').textContent = `${tunnel?.datagramRoom ?? 0} bytes`
    showStatus('up', texts.length > 0 ? 'The tunnel is up.' : 'The tunnel is up, but the proxy has no address for us.')
  },
  onRoutes(routes) {
    showList(
      'routes',
      routes.map(
        ({ start, end, protocol }) =>
          (equal(start, end) ? formatAddress(start) : `${formatAddress(start)} – ${formatAddress(end)}`) +
          (protocol === 0 ? '' : `, protocol ${protocol}`),
      ),
    )
  },
  onPacket: showPacket,
  onClosed(why) {
    tunnel = undefined
    element('connect').disabled = false
    element('disconnect').disabled = true
    element('ping').disabled = true
    showList('addresses', [])
    showList('routes', [])
    element('room').textContent = ''
    showStatus('down', `There is no tunnel: ${why}.`)
  },
}

function showStatus(state, text) {
  element('status').dataset.state = state
  element('status').textContent = text
}

function showList(id, texts) {
  element(id).replaceChildren(...texts.map(text => newElement('li', text)))
}

// -- pings -------------------------------------------------------------------------------------------------------

element('ping-form').addEventListener('submit', async event => {
  event.preventDefault()
  const text = element('target').value.trim()
  const target = parseAddress(text)
  if (target === undefined) return showPing(`${text}: an IPv4 or IPv6 address is expected, such as 10.90.0.1`)
  const { ms, problem } = (await tunnel?.ping(target)) ?? { problem: 'there is no tunnel' }
  showPing(`${formatAddress(target)}: ${problem ?? `answered in ${ms.toFixed(1)} ms`}`)
})

function showPing(text) {
  prepend('pings', newElement('li', text), MAX_PINGS)
}

// -- packets -----------------------------------------------------------------------------------------------------

function showPacket(direction, bytes) {
  const item = newElement('details', '')
  const seconds = ((performance.now() - started) / 1000).toFixed(3)
  const summary = newElement(
    'summary',
    `${seconds} s  ${direction === 'in' ? '← in ' : '→ out'}  ${describePacket(bytes)}  (${bytes.length} bytes)`,
  )
  summary.dataset.direction = direction
  item.append(summary)
  // Most packets are never opened: their fields are decoded when they are.
  item.addEventListener('toggle', () => item.open && item.children.length === 1 && item.append(fieldTable(bytes)))
  prepend('packets', item, MAX_PACKETS)
}

function fieldTable(bytes) {
  const table = newElement('table', '')
  const head = newElement('tr', '')
  head.append(...['Offset', 'Field', 'Value', 'Bytes'].map(text => newElement('th', text)))
  table.append(head)
  for (const [name, value, at, length] of fieldsOf(bytes)) {
    const row = newElement('tr', '')
    const hex = [...bytes.subarray(at, at + Math.min(length, 64))]
      .map(byte => byte.toString(16).padStart(2, '0'))
      .join(' ')
    row.append(...[String(at), name, value, hex + (length > 64 ? ' …' : '')].map(text => newElement('td', text)))
    table.append(row)
  }
  return table
}

/** Puts it in front; what is beyond the limit goes. Everything is text, whatever the network has sent. */
function prepend(id, child, limit) {
  const list = element(id)
  list.prepend(child)
  while (list.children.length > limit) list.lastElementChild.remove()
}

function newElement(name, text) {
  const made = document.createElement(name)
  made.textContent = text
  return made
}
