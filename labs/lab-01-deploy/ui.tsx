/** The panel of lab 1: the topology, of which the parts appear as they come up. */
import { Box } from 'ink'
import type { Line, Style } from '../kit/text.ts'
import type { PanelProps, PhaseState } from '../kit/types.ts'
import { Lines } from '../kit/ui/frame.tsx'

/**
 *     +--------+    QUIC over UDP    +-------+           +---------+
 *     | client |=====================| proxy |-----------| library |
 *     +--------+                     +-------+           +---------+
 *     10.89.1.2                      10.89.1.1           10.90.1.7
 *     fd00:89:1::2                   fd00:89:1::1        fd00:90:1::7
 */
function topologyLines({ phases, width, marks }: PanelProps): Line[] {
  const state = (id: string): PhaseState => phases.find(phase => phase.id === id)?.state ?? 'waiting'
  const up = (id: string): Style | undefined => {
    if (state(id) === 'done') return undefined
    return state(id) === 'failed' ? 'bad' : 'muted'
  }
  const addresses = phases.find(phase => phase.id === 'addresses')?.detail?.split(/\s+/) ?? []
  const [ipv4 = '', ipv6 = ''] = addresses.map(address => address.replace(/\/\d+$/, ''))

  // Three boxes and two links; the tunnel takes what room there is.
  const client = 10
  const proxy = 9
  const library = 11
  const link = 9
  const tunnel = Math.max(20, Math.min(44, width - client - proxy - library - link - 4))
  const connected = state('session') === 'done'
  const caption = connected ? 'CONNECT-IP tunnel' : state('handshake') === 'done' ? 'QUIC connection' : ''
  const wire = connected ? '=' : state('server') === 'done' ? '.' : ' '

  const edge = (columns: number) => `+${'-'.repeat(columns - 2)}+`
  const clientStyle = up('handshake')
  const proxyStyle = up('server')
  const lines: Line[] = [
    [
      { text: edge(client), style: clientStyle },
      { text: centred(caption, tunnel), style: 'accent' },
      { text: edge(proxy), style: proxyStyle },
      { text: ' '.repeat(link) },
      { text: edge(library), style: proxyStyle },
    ],
    [
      { text: '| client |', style: clientStyle },
      { text: wire.repeat(tunnel), style: connected ? 'accent' : 'muted' },
      { text: '| proxy |', style: proxyStyle },
      { text: '-'.repeat(link), style: proxyStyle },
      { text: '| library |', style: proxyStyle },
    ],
    [
      { text: edge(client), style: clientStyle },
      { text: ' '.repeat(tunnel) },
      { text: edge(proxy), style: proxyStyle },
      { text: ' '.repeat(link) },
      { text: edge(library), style: proxyStyle },
    ],
    ...([
      [ipv4, '10.89.1.1', '10.90.1.7', 'ping4'],
      [ipv6, 'fd00:89:1::1', 'fd00:90:1::7', 'ping6'],
    ].map(([own, gateway, host, ping]) => [
      { text: own!.padEnd(client + tunnel), style: 'strong' as const },
      { text: gateway!.padEnd(proxy + link), style: proxyStyle },
      { text: host!, style: proxyStyle },
      ...(state(ping!) === 'done' ? [{ text: ` ${marks.good}`, style: 'good' as const }] : []),
    ]) satisfies Line[]),
  ]
  return lines
}

export function Topology(props: PanelProps) {
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Lines lines={topologyLines(props)} />
    </Box>
  )
}
Topology.lines = topologyLines

function centred(text: string, columns: number): string {
  const left = Math.max(0, Math.floor((columns - text.length) / 2))
  return `${' '.repeat(left)}${text}`.padEnd(columns)
}
