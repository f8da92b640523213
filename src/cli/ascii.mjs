// What is printed, in ASCII, where the locale promises no more. Plain JavaScript, because it is in force before TypeScript can be loaded.

/** What there is a better word for than its letters without accents. Marks and lines keep their one column. */
const WORDS = {
  '…': '...',
  '–': '-',
  '—': '-',
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '→': '->',
  '←': '<-',
  '↑': '^',
  '↓': 'v',
  '≤': '<=',
  '≥': '>=',
  '≠': '!=',
  '≈': '~',
  '±': '+-',
  '∓': '-+',
  '×': 'x',
  '·': '.',
  '√': 'sqrt',
  '½': '1/2',
  '²': '^2',
  '³': '^3',
  '⁵': '^5',
  '§': 'sec. ',
  µ: 'u',
  μ: 'u',
  α: 'alpha',
  λ: 'lambda',
  φ: 'phi',
  Φ: 'Phi',
  Γ: 'Gamma',
  ø: 'o',
  ß: 'ss',
  '✔': '+',
  '✓': '+',
  '✘': 'x',
  '✗': 'x',
  '❯': '>',
  '▶': '>',
  '►': '>',
  '◀': '<',
  '◄': '<',
  '▲': '^',
  '▼': 'v',
  '●': '*',
  '○': 'o',
  '◐': 'o',
  '■': '#',
  '□': '#',
  '◆': '*',
  '╱': '/',
  '╲': '\\',
}

/** Box drawing, block elements and braille, by their place in Unicode: always one column. */
function drawn(code) {
  if (code === 0x2500 || code === 0x2501 || code === 0x2550) return '-'
  if (code === 0x2502 || code === 0x2503 || code === 0x2551) return '|'
  if (code >= 0x2500 && code <= 0x257f) return '+'
  if (code >= 0x2580 && code <= 0x259f) return '#'
  if (code >= 0x2800 && code <= 0x28ff) return '*'
  return undefined
}

function character(text) {
  const word = WORDS[text] ?? drawn(text.codePointAt(0))
  if (word !== undefined) return word
  // Spaces of all widths become one; letters lose their accents.
  const plain = text.normalize('NFKD').replace(/[\u0300-\u036f]/g, '')
  return /^[\x00-\x7f]+$/.test(plain) ? plain : '?'
}

export function ascii(text) {
  return text.replace(/[^\x00-\x7f]/gu, character)
}

/** JSON says it in its own way, and loses nothing. */
function asciiJson(text) {
  try {
    JSON.parse(text)
  } catch {
    return ascii(text)
  }
  return text.replace(/[^\x00-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/**
 * Does the locale promise UTF-8? Where nothing is said, as in many containers, the terminal decides, and those of today do. On Windows
 * Node writes in Unicode whatever the code page.
 */
export function promisesUtf8(env = process.env, platform = process.platform) {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return platform === 'win32' || locale === '' || /utf-?8/i.test(locale)
}

/** From now on, what goes to this stream is ASCII. */
export function asciiOnly(stream) {
  const write = stream.write.bind(stream)
  stream.write = (chunk, ...rest) => {
    if (typeof chunk !== 'string' || /^[\x00-\x7f]*$/.test(chunk)) return write(chunk, ...rest)
    return write(/^\s*[[{]/.test(chunk) ? asciiJson(chunk) : ascii(chunk), ...rest)
  }
}
