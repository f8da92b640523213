// Who is connected with whom: clients, the proxy, what is behind it. How much flows is how thick a line is.

import { makeSvg, setAttribute, setText } from './dom.mjs'
import { bitRate, nameOf, visible } from './format.mjs'
import { arc, LARGE_NAMES, SINGLE_ARC, Slots } from './slots.mjs'

const PROXY = { x: 420, y: 215, width: 96, height: 76 }
const HOSTS = { x: 572, width: 120, height: 58 }
const RADIUS = 215
const HEIGHT = 390
/** How far the lines of both directions are apart, and from the cable between them. */
const APART = 3.5

export class Topology {
  #cables = makeSvg('g')
  #nodes = makeSvg('g')
  #hosts = makeSvg('g')
  #slots = new Slots()
  /** By client id. */
  #drawn = new Map()
  #onChoose

  constructor(svg, { onChoose }) {
    this.#onChoose = onChoose
    const proxy = box('proxy', PROXY.x, PROXY.y, PROXY.width, PROXY.height)
    proxy.append(makeSvg('text', { x: PROXY.x, y: PROXY.y + 7 }, 'proxy'))
    svg.append(this.#cables, this.#hosts, this.#nodes, proxy)
  }

  /** `hosts`: { name, addresses } of what is behind the proxy. */
  showHosts(hosts) {
    const shown = hosts.slice(0, 6)
    const drawn = shown.map(({ name, addresses }, i) => {
      const y = PROXY.y + (i - (shown.length - 1) / 2) * Math.min(90, HEIGHT / shown.length)
      const host = box('host', HOSTS.x, y, HOSTS.width, HOSTS.height)
      const cable = { x1: PROXY.x + PROXY.width / 2, y1: PROXY.y, x2: HOSTS.x - HOSTS.width / 2, y2: y, class: 'cable' }
      host.prepend(makeSvg('line', cable))
      const lines = [name, ...addresses.slice(0, 2)].map(text => cut(visible(text), 17))
      lines.forEach((text, line) => {
        const place = { x: HOSTS.x, y: y + 5 + (line - (lines.length - 1) / 2) * 16 }
        host.append(makeSvg('text', line === 0 ? place : { ...place, class: 'addresses' }, text))
      })
      return host
    })
    this.#hosts.replaceChildren(...drawn)
  }

  /** `rates(id)`: bit/s in each direction, as { fromClients, toClients }. */
  update(clients, rates, chosen) {
    const byId = new Map(clients.map(client => [client.id, client]))
    const slots = this.#slots.update([...byId.keys()])
    const places = arc({ count: slots.length, x: PROXY.x - 20, y: PROXY.y, radius: RADIUS, height: HEIGHT })
    for (const [id, drawn] of this.#drawn) {
      if (byId.has(id)) continue
      drawn.node.remove()
      drawn.cable.remove()
      this.#drawn.delete(id)
    }
    slots.forEach((id, slot) => {
      if (id === undefined) return
      const client = byId.get(id)
      const drawn = this.#drawn.get(id) ?? this.#draw(client)
      place(drawn, places[slot])
      const rate = rates(id)
      setAttribute(drawn.from, 'stroke-width', thickness(rate.fromClients))
      setAttribute(drawn.to, 'stroke-width', thickness(rate.toClients))
      setAttribute(
        drawn.node,
        'class',
        `client${id === chosen ? ' chosen' : ''}${slots.length > LARGE_NAMES ? ' small' : ''}`,
      )
      setText(drawn.name, slots.length > SINGLE_ARC && id !== chosen ? '' : nameOf(client, 20))
      setText(
        drawn.title,
        `${nameOf(client)}: from it ${bitRate(rate.fromClients).join(' ')}, to it ${bitRate(rate.toClients).join(' ')}`,
      )
    })
  }

  #draw(client) {
    const node = makeSvg('g', { 'data-carrier': client.carrier })
    const name = makeSvg('text')
    const title = makeSvg('title')
    const circle = makeSvg('circle', { r: 7 })
    node.append(title, circle, name)
    node.addEventListener('click', () => this.#onChoose(client.id))
    const cable = makeSvg('g')
    const lines = ['cable', 'from', 'to'].map(kind => makeSvg('line', { class: kind, 'stroke-width': 0 }))
    lines[0].removeAttribute('stroke-width')
    cable.append(...lines)
    this.#cables.append(cable)
    this.#nodes.append(node)
    const drawn = { node, name, title, circle, cable, lines, from: lines[1], to: lines[2] }
    this.#drawn.set(client.id, drawn)
    return drawn
  }
}

function place({ circle, name, lines }, { x, y }) {
  setAttribute(circle, 'cx', x)
  setAttribute(circle, 'cy', y)
  setAttribute(name, 'x', x - 14)
  setAttribute(name, 'y', y + 5)
  const length = Math.hypot(PROXY.x - x, PROXY.y - y)
  const [across, down] = [((PROXY.y - y) / length) * APART, (-(PROXY.x - x) / length) * APART]
  for (const [line, side] of [
    [lines[0], 0],
    [lines[1], 1],
    [lines[2], -1],
  ]) {
    setAttribute(line, 'x1', x + across * side)
    setAttribute(line, 'y1', y + down * side)
    setAttribute(line, 'x2', PROXY.x + across * side)
    setAttribute(line, 'y2', PROXY.y + down * side)
  }
}

function box(kind, x, y, width, height) {
  const group = makeSvg('g', { class: kind })
  group.append(makeSvg('rect', { x: x - width / 2, y: y - height / 2, width, height, rx: 8 }))
  return group
}

/** From a hair for a few bit/s to a rope for a gigabit: by powers of ten, as few links are alike. */
function thickness(bitsPerSecond) {
  if (bitsPerSecond === null || bitsPerSecond < 1) return 0
  return Math.round(Math.min(9, Math.max(1, Math.log10(bitsPerSecond) - 1.5)) * 10) / 10
}

function cut(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text
}
