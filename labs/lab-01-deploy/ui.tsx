/** The panel of lab 1: the topology, of which the parts appear as they come up, with counters that run. */
import type { Line, Span, Style } from '../kit/lab/text.ts'
import type { PanelProps, PhaseState } from '../kit/lab/types.ts'
import { linesPanel } from '../kit/ui/lines-panel.tsx'

/** Packets and bytes inside of the tunnel, as the proxy counts them. */
export interface Traffic {
  fromClient: { packets: number; bytes: number }
  toClient: { packets: number; bytes: number }
}

/** What the checks and the demonstration show, by key. */
export interface Topology {
  server: 'up'
  client: 'connecting' | 'connected' | 'refused'
  /** Assigned to the client, such as `10.89.1.2/32`. */
  addresses: string[]
  /** The address that has answered a ping last. */
  answered: string
  traffic: Traffic
}

const CLIENT_COLUMNS = 10
const PROXY_COLUMNS = 9
const LIBRARY_COLUMNS = 11
const LINK_COLUMNS = 9

/**
 *     +--------+   CONNECT-IP tunnel    +-------+         +---------+
 *     | client |========================| proxy |---------| library |
 *     +--------+  > 12 pkt   < 12 pkt   +-------+         +---------+
 *     10.89.1.2                         10.89.1.1         10.90.1.7 +
 *     fd00:89:1::2                      fd00:89:1::1      fd00:90:1::7
 */
function lines(props: PanelProps): Line[] {
  const { width, marks } = props
  const view = viewOf(props)
  if (!view) return []
  const tunnel = Math.max(20, Math.min(44, width - CLIENT_COLUMNS - PROXY_COLUMNS - LIBRARY_COLUMNS - LINK_COLUMNS - 4))
  const edge = (columns: number, style: Style | undefined): Span => ({ text: `+${'-'.repeat(columns - 2)}+`, style })
  const gap: Span = { text: ' '.repeat(LINK_COLUMNS) }
  const { client, proxy, connected, traffic, caption } = view
  const [ipv4 = '', ipv6 = ''] = view.addresses.map(address => address.replace(/\/\d+$/, ''))
  const counters = traffic
    ? `${counted(traffic.fromClient.packets, traffic.fromClient.bytes)} >  < ${counted(traffic.toClient.packets, traffic.toClient.bytes)}`
    : ''
  const addressLine = (own: string, gateway: string, host: string): Line => [
    { text: own.padEnd(CLIENT_COLUMNS + tunnel), style: 'strong' },
    { text: gateway.padEnd(PROXY_COLUMNS + LINK_COLUMNS), style: proxy },
    { text: host, style: proxy },
    ...(view.answered(gateway) || view.answered(host) ? [{ text: ` ${marks.good}`, style: 'good' as const }] : []),
  ]
  return [
    [
      edge(CLIENT_COLUMNS, client),
      { text: centred(caption, tunnel), style: view.refused ? 'bad' : 'accent' },
      edge(PROXY_COLUMNS, proxy),
      gap,
      edge(LIBRARY_COLUMNS, proxy),
    ],
    [
      { text: '| client |', style: client },
      { text: view.wire.repeat(tunnel), style: connected ? 'accent' : 'muted' },
      { text: '| proxy |', style: proxy },
      { text: '-'.repeat(LINK_COLUMNS), style: proxy },
      { text: '| library |', style: proxy },
    ],
    [
      edge(CLIENT_COLUMNS, client),
      { text: centred(counters.length <= tunnel ? counters : '', tunnel) },
      edge(PROXY_COLUMNS, proxy),
      gap,
      edge(LIBRARY_COLUMNS, proxy),
    ],
    addressLine(ipv4, '10.89.1.1', '10.90.1.7'),
    addressLine(ipv6, 'fd00:89:1::1', 'fd00:90:1::7'),
  ]
}

interface View {
  client: Style | undefined
  proxy: Style | undefined
  connected: boolean
  refused: boolean
  caption: string
  wire: string
  addresses: readonly string[]
  answered(address: string): boolean
  traffic: Traffic | undefined
}

/** From the phases of the demonstration, or from what a check has shown; undefined when it has shown nothing. */
function viewOf({ task, phases, live }: PanelProps): View | undefined {
  const shown = live.shown as Partial<Topology>
  if (!task) {
    const state = (id: string): PhaseState => phases.find(phase => phase.id === id)?.state ?? 'waiting'
    const style = (id: string): Style | undefined =>
      state(id) === 'done' ? undefined : state(id) === 'failed' ? 'bad' : 'muted'
    const connected = state('session') === 'done'
    return {
      client: style('handshake'),
      proxy: style('server'),
      connected,
      refused: false,
      caption: connected ? 'CONNECT-IP tunnel' : state('handshake') === 'done' ? 'QUIC connection' : '',
      wire: connected ? '=' : state('server') === 'done' ? '.' : ' ',
      addresses: phases.find(phase => phase.id === 'addresses')?.detail?.split(/\s+/) ?? [],
      answered: address =>
        (address === '10.90.1.7' ? state('ping4') : address === 'fd00:90:1::7' ? state('ping6') : '') === 'done',
      traffic: shown.traffic,
    }
  }
  if (shown.server === undefined && shown.client === undefined) return undefined
  const connected = shown.client === 'connected'
  const refused = shown.client === 'refused'
  return {
    client: connected ? undefined : refused ? 'bad' : 'muted',
    proxy: shown.server === 'up' ? undefined : 'muted',
    connected,
    refused,
    caption: connected ? 'CONNECT-IP tunnel' : refused ? 'refused' : shown.client === 'connecting' ? 'connecting' : '',
    wire: connected ? '=' : refused ? 'x' : '.',
    addresses: shown.addresses ?? [],
    answered: address => shown.answered === address,
    traffic: shown.traffic,
  }
}

/** Columns are few: `12 pkt 1.0 kB`. */
function counted(packets: number, bytes: number): string {
  return `${packets} pkt ${bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`}`
}

function centred(text: string, columns: number): string {
  const left = Math.max(0, Math.floor((columns - text.length) / 2))
  return `${' '.repeat(left)}${text}`.padEnd(columns)
}

export const TopologyPanel = linesPanel(lines)
