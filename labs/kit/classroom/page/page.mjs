// What students have told is put on the page as text, and never as HTML.

const EVERY_MS = 2000

const at = id => document.getElementById(id)

function element(name, text, className) {
  const made = document.createElement(name)
  made.textContent = text
  if (className) made.className = className
  return made
}

function taskRow({ number, title, here, stuck, solved, medianMinutes, names }) {
  const row = document.createElement('tr')
  const heading = element('th', `${number}  ${title}`)
  heading.scope = 'row'
  row.append(
    heading,
    element('td', here, 'number'),
    element('td', stuck, stuck > 0 ? 'number stuck' : 'number'),
    element('td', solved, 'number'),
    element('td', medianMinutes === null ? '' : `${medianMinutes} min`, 'number'),
    element('td', names.join(', '), 'who'),
  )
  return row
}

/** What is the same as before is not read out again. */
function say(text) {
  if (at('summary').textContent !== text) at('summary').textContent = text
}

function show({ students, solved, tasks, misconceptions, leaderboard, code }) {
  at('code').hidden = code === null
  at('code').textContent = code === null ? '' : `npm run lab -- --join ${code}`
  say(`Joined: ${students}. Tasks solved, by all together: ${solved}.`)
  at('tasks').replaceChildren(...tasks.map(taskRow))
  at('misconceptions').replaceChildren(
    ...misconceptions.map(({ number, text, students }) => element('li', `${students} in ${number}: ${text}`)),
  )
  at('leaders-section').hidden = leaderboard === null
  at('leaders').replaceChildren(...(leaderboard ?? []).map(({ alias, solved }) => element('li', `${alias}: ${solved}`)))
}

const inMs = value => (value === null ? '' : `${value.toFixed(1)} ms`)
const inKilobits = value => `${Math.round(value / 1000)} kbit/s`

function relayRow({ alias, open, medianMs, slowestMs, bitsPerSecond }) {
  const row = document.createElement('tr')
  const heading = element('th', alias)
  heading.scope = 'row'
  row.append(
    heading,
    element('td', inMs(medianMs), 'number'),
    element('td', inMs(slowestMs), 'number'),
    element('td', inKilobits(bitsPerSecond), 'number'),
    element('td', open ? 'open' : 'closed', 'who'),
  )
  return row
}

/** Null: there is no relay. */
function showRelay(relay) {
  at('relay-section').hidden = relay === null
  if (relay === null) return
  const { open, medianMs, slowestMs, bitsPerSecond, tunnels } = relay
  const times = medianMs === null ? '' : ` Median round trip: ${inMs(medianMs)}; slowest: ${inMs(slowestMs)}.`
  at('relay-summary').textContent = `Open: ${open}. All together: ${inKilobits(bitsPerSecond)}.${times}`
  at('relay').replaceChildren(...tunnels.map(relayRow))
}

async function look() {
  try {
    const response = await fetch('class.json', { cache: 'no-store' })
    show(await response.json())
    showRelay(await (await fetch('relay.json', { cache: 'no-store' })).json())
  } catch {
    say('The classroom does not answer; what is below is what it said last.')
  }
  setTimeout(look, EVERY_MS)
}

look()
