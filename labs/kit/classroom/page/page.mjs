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

function show({ students, solved, tasks, misconceptions, leaderboard }) {
  say(`Joined: ${students}. Tasks solved, by all together: ${solved}.`)
  at('tasks').replaceChildren(...tasks.map(taskRow))
  at('misconceptions').replaceChildren(
    ...misconceptions.map(({ number, text, students }) => element('li', `${students} in ${number}: ${text}`)),
  )
  at('leaders-section').hidden = leaderboard === null
  at('leaders').replaceChildren(...(leaderboard ?? []).map(({ alias, solved }) => element('li', `${alias}: ${solved}`)))
}

async function look() {
  try {
    const response = await fetch('class.json', { cache: 'no-store' })
    show(await response.json())
  } catch {
    say('The classroom does not answer; what is below is what it said last.')
  }
  setTimeout(look, EVERY_MS)
}

look()
