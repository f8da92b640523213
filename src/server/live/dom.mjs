// Making and changing elements. What comes from the network only ever becomes text.

export const element = id => document.getElementById(id)

export function make(name, text, attributes = {}) {
  return fill(document.createElement(name), text, attributes)
}

export function makeSvg(name, attributes = {}, text) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), text, attributes)
}

function fill(made, text, attributes) {
  if (text !== undefined) made.textContent = text
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  return made
}

/** Touches the document only where it changes: what is not touched does not flicker, and is not read aloud again. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

export function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value)
}
