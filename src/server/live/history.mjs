// The last two minutes, made from the counters that the proxy tells each second: rates, round trips, loss.

/** One sample a second. */
export const SAMPLES = 120
/** Over a single second, one packet of two that is lost would be half of all. */
const LOSS_WINDOW = 5
/** With a longer pause between two samples nobody knows how the packets in it were spread: there is a gap. */
const LONGEST_STEP_S = 3
/** In a shorter one a single packet would look like a flood: whoever has just come hears twice within a second. */
const SHORTEST_STEP_S = 0.3

/** One line of a chart is the values by the same index as `times`; `null` is a gap. */
class Series {
  times = []
  fromClients = []
  toClients = []
  rtt = []
  rttWorst = []
  loss = []
  #lost = 0
  #sent = 0
  #window = []

  /** `step`: what has been added since the last sample; undefined: nobody knows, as after a pause. */
  push(at, step, rtt, rttWorst) {
    if (step === undefined) this.#window = []
    else {
      this.#lost += step.lost
      this.#sent += step.sent
      this.#window.push([this.#lost, this.#sent])
      if (this.#window.length > LOSS_WINDOW) this.#window.shift()
    }
    this.times.push(at)
    this.fromClients.push(step === undefined ? null : (step.fromClients * 8) / step.seconds)
    this.toClients.push(step === undefined ? null : (step.toClients * 8) / step.seconds)
    this.rtt.push(rtt)
    this.rttWorst.push(rttWorst)
    this.loss.push(this.#lossNow())
    const old = this.times.findIndex(time => time > at - SAMPLES)
    if (old > 0) for (const values of this.#all()) values.splice(0, old)
  }

  /** Of the packets sent in the last seconds; null when there were none. */
  #lossNow() {
    if (this.#window.length < 2) return null
    const [[lostBefore, sentBefore], [lost, sent]] = [this.#window[0], this.#window[this.#window.length - 1]]
    // A packet may be found lost a while after it was sent.
    return sent === sentBefore ? null : Math.min(1, (lost - lostBefore) / (sent - sentBefore))
  }

  #all() {
    return [this.times, this.fromClients, this.toClients, this.rtt, this.rttWorst, this.loss]
  }

  /** The newest value of a line; null: there is none. */
  last(line) {
    return this[line].at(-1) ?? null
  }
}

export class History {
  all = new Series()
  #clients = new Map()
  #before

  /** The series of one client; undefined when it has none. */
  of(id) {
    return this.#clients.get(id)
  }

  get size() {
    return this.#clients.size
  }

  /** `at`: how long the proxy has been running, in seconds. */
  add(at, status, clients) {
    let before = this.#before
    if (before !== undefined && at < before.at) {
      // Another proxy has taken the place of the one before, with counters of its own.
      before = undefined
      this.all = new Series()
      this.#clients.clear()
    }
    const seconds = before === undefined ? Number.POSITIVE_INFINITY : at - before.at
    if (seconds < SHORTEST_STEP_S) return
    const known = seconds > 0 && seconds <= LONGEST_STEP_S
    const now = { at, status, clients: new Map(clients.map(client => [client.id, client])) }
    const total = { lost: 0, sent: 0 }
    for (const id of this.#clients.keys()) if (!now.clients.has(id)) this.#clients.delete(id)
    for (const client of clients) {
      const series = this.#clients.get(client.id) ?? new Series()
      this.#clients.set(client.id, series)
      const earlier = before?.clients.get(client.id)
      const step = known && earlier !== undefined ? stepOfClient(earlier, client, seconds) : undefined
      total.lost += step?.lost ?? 0
      total.sent += step?.sent ?? 0
      series.push(at, step, rttOf(client), null)
    }
    const rtts = clients.map(rttOf).filter(rtt => rtt !== null)
    const step = known ? { ...stepOfBytes(before.status.bytes, status.bytes, seconds), ...total } : undefined
    const counts = step !== undefined && step.fromClients >= 0 && step.toClients >= 0
    this.all.push(at, counts ? step : undefined, median(rtts), rtts.length === 0 ? null : Math.max(...rtts))
    this.#before = now
  }
}

/** Undefined when a counter has gone back: the client of this name is another one. */
function stepOfClient(before, now, seconds) {
  const step = {
    seconds,
    fromClients: now.bytes.received - before.bytes.received,
    toClients: now.bytes.sent - before.bytes.sent,
    lost: (now.quic?.lost ?? 0) - (before.quic?.lost ?? 0),
    sent: (now.quic?.sent ?? 0) - (before.quic?.sent ?? 0),
  }
  return Object.values(step).every(count => count >= 0) ? step : undefined
}

function stepOfBytes(before, now, seconds) {
  return {
    seconds,
    fromClients: now.fromClients - before.fromClients,
    toClients: now.toClients - before.toClients,
  }
}

/** Only QUIC tells the proxy of it, in whole milliseconds. */
function rttOf(client) {
  return client.quic?.rttMs ?? null
}

function median(values) {
  if (values.length === 0) return null
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
