/**
 * Is this text a DNS name that can be handed to a resolver? With or without the final dot. Underscores occur in real
 * names; names in other scripts have to be in their ASCII form ("xn--…"). The root alone is none.
 */
export function isDnsName(text: string): boolean {
  const name = text.endsWith('.') ? text.slice(0, -1) : text
  if (name.length === 0 || name.length > 253) return false
  return name.split('.').every(label => /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label))
}
