/**
 * Internet protocol numbers, as in IPv4's Protocol field, IPv6's Next Header field and CONNECT-IP's `ipproto`
 * (IANA "Assigned Internet Protocol Numbers"). Only those that this program or its students meet.
 */
export const IpProtocol = {
  /** IPv6 Hop-by-Hop Options. In CONNECT-IP scopes and routes, 0 means "all protocols" instead. */
  HOPOPT: 0,
  ICMP: 1,
  IGMP: 2,
  IPV4: 4,
  TCP: 6,
  UDP: 17,
  DCCP: 33,
  IPV6: 41,
  IPV6_ROUTE: 43,
  IPV6_FRAG: 44,
  GRE: 47,
  ESP: 50,
  AH: 51,
  ICMPV6: 58,
  IPV6_NONXT: 59,
  IPV6_OPTS: 60,
  SCTP: 132,
  MOBILITY: 135,
  UDPLITE: 136,
  HIP: 139,
  SHIM6: 140,
} as const

const NAMES = new Map<number, string>([
  [IpProtocol.HOPOPT, 'hop-by-hop options'],
  [IpProtocol.ICMP, 'ICMP'],
  [IpProtocol.IGMP, 'IGMP'],
  [IpProtocol.IPV4, 'IPv4'],
  [IpProtocol.TCP, 'TCP'],
  [IpProtocol.UDP, 'UDP'],
  [IpProtocol.DCCP, 'DCCP'],
  [IpProtocol.IPV6, 'IPv6'],
  [IpProtocol.IPV6_ROUTE, 'routing header'],
  [IpProtocol.IPV6_FRAG, 'fragment header'],
  [IpProtocol.GRE, 'GRE'],
  [IpProtocol.ESP, 'ESP'],
  [IpProtocol.AH, 'AH'],
  [IpProtocol.ICMPV6, 'ICMPv6'],
  [IpProtocol.IPV6_NONXT, 'no next header'],
  [IpProtocol.IPV6_OPTS, 'destination options'],
  [IpProtocol.SCTP, 'SCTP'],
  [IpProtocol.MOBILITY, 'mobility header'],
  [IpProtocol.UDPLITE, 'UDP-Lite'],
  [IpProtocol.HIP, 'HIP'],
  [IpProtocol.SHIM6, 'Shim6'],
])

/** "UDP", or "protocol 200" for a number without a name here. */
export function protocolName(protocol: number): string {
  return NAMES.get(protocol) ?? `protocol ${protocol}`
}
