/** The rows of the short matrix: what a case is about, by the first id in its title (see docs/conformance.md). */
const TOPICS: readonly { title: string; ids: readonly string[] }[] = [
  { title: 'QUIC: handshake, Retry, paths, keys', ids: ['Q-01', 'Q-02', 'Q-03'] },
  { title: 'HTTP/3: control streams, SETTINGS, grease', ids: ['H3-01', 'H3-02', 'H3-07', 'CIP-07'] },
  { title: 'HTTP/3: frames and header fields, QPACK', ids: ['H3-03', 'H3-04', 'H3-05', 'H3-10'] },
  { title: 'HTTP: plain requests, authority', ids: ['H3-08', 'H3-09'] },
  { title: 'CONNECT-IP: template, request, answer', ids: ids('CIP', 1, 6).concat(ids('CIP', 8, 10)) },
  { title: 'Life and end of a tunnel, GOAWAY', ids: ['CIP-11', 'CIP-17', 'H3-06', 'CIP-37'] },
  { title: 'Addresses', ids: ['CIP-12', 'CIP-13', 'CIP-19', 'CIP-20', 'CIP-38'] },
  { title: 'Routes', ids: ['CIP-14'] },
  {
    title: 'Capsules: malformed, unknown, too long, in order',
    ids: ['CIP-15', 'CIP-16', 'CIP-18', 'CIP-36', 'CIP-40'],
  },
  { title: 'Datagrams, contexts, DATAGRAM capsules', ids: ids('CIP', 21, 25) },
  { title: 'Forwarding, scopes, ICMP', ids: ids('CIP', 26, 31).concat(['CIP-34', 'CIP-35', 'CIP-39']) },
  { title: 'Packet sizes', ids: ['CIP-32', 'CIP-33'] },
]

/** Cases that are named after one of the QUIC interop runner's: `QUIC transferloss: …`. */
const QUIC_ALONE = 'QUIC alone: transfers, over bad paths too'

export const OTHER_TOPIC = 'Other: authentication, many pings, several clients'

export const ALL_TOPICS = [...TOPICS.map(({ title }) => title), QUIC_ALONE, OTHER_TOPIC]

/** The title of a case's row in the short matrix. */
export function topicOf(title: string): string {
  if (title.startsWith('QUIC ')) return QUIC_ALONE
  const [id] = /\b(?:CIP|H3|Q)-\d+\b/.exec(title) ?? []
  return TOPICS.find(topic => id !== undefined && topic.ids.includes(id))?.title ?? OTHER_TOPIC
}

function ids(prefix: string, from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, i) => `${prefix}-${String(from + i).padStart(2, '0')}`)
}
