/** What labs tell students to read: where a section is named by its number and its title, the two belong together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import { ROOT } from '../../labs/kit/lab/registry.ts'

/** By RFC, then by section: its title. */
const TITLES: Readonly<Record<number, Readonly<Record<string, string>>>> = {
  8446: { '6.2': 'Error Alerts' },
  9000: {
    '2.1': 'Stream Types and Identifiers',
    '5.1': 'Connection ID',
    '7': 'Cryptographic and Transport Handshake',
    '8.1.2': 'Address Validation Using Retry Packets',
    '8.2': 'Path Validation',
    '9': 'Connection Migration',
    '10.1': 'Idle Timeout',
    '16': 'Variable-Length Integer Encoding',
    '17.3.1': '1-RTT Packet',
    '19': 'Frame Types and Formats',
    '19.8': 'STREAM Frames',
    '19.19': 'CONNECTION_CLOSE Frames',
    '20.1': 'Transport Error Codes',
  },
  9001: { '4.8': 'Cryptographic Handshake Errors' },
  9002: { '6.1': 'Acknowledgment-Based Detection', '6.2': 'Probe Timeout' },
  9110: { '4.3.4': 'https Certificate Verification', '15.3': 'Successful 2xx', '15.5': 'Client Error 4xx' },
  9114: {
    '3.3': 'Connection Reuse',
    '4.3': 'HTTP Control Data',
    '4.3.2': 'Response Pseudo-Header Fields',
    '6.2.1': 'Control Streams',
    '7.1': 'Frame Layout',
    '7.2.1': 'DATA',
    '7.2.4': 'SETTINGS',
    '8.1': 'HTTP/3 Error Codes',
  },
  9204: { '4.5': 'Field Line Representations' },
  9221: { '4': 'Datagram Frame Types' },
  9297: {
    '2.1': 'HTTP/3 Datagrams',
    '2.1.1': 'The SETTINGS_H3_DATAGRAM HTTP/3 Setting',
    '3.1': 'HTTP Data Streams',
    '3.2': 'The Capsule Protocol',
    '3.3': 'Error Handling',
    '3.5': 'The DATAGRAM Capsule',
    '4': 'Security Considerations',
    '5': 'IANA Considerations',
  },
  9484: {
    '4': 'Tunnelling IP over HTTP',
    '4.4': 'HTTP/2 and HTTP/3 Requests',
    '4.5': 'HTTP/2 and HTTP/3 Responses',
    '4.6': 'Limiting Request Scope',
    '4.7.1': 'ADDRESS_ASSIGN Capsule',
    '4.7.2': 'ADDRESS_REQUEST Capsule',
    '4.7.3': 'ROUTE_ADVERTISEMENT Capsule',
    '4.8': 'IPv6 Extension Headers',
    '6': 'HTTP Datagram Payload Format',
    '7.1': 'Link Operation',
    '7.2': 'Routing Operation',
    '7.2.1': 'Error Signalling',
    '8.1': 'Remote Access VPN',
  },
}

describe('labs: what there is to read', () => {
  const folder = join(ROOT, 'labs')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    /^lab-\d\d-.*\.ts$/.test(name),
  )
  const named = files.flatMap(file =>
    // In quotes, such as 'RFC 9000 §17.3.1 1-RTT Packet, §19.8 STREAM Frames'.
    [...readFileSync(join(folder, file), 'utf8').matchAll(/['"]RFC (\d+) (§[^'"\n]+)['"]/g)].flatMap(
      ([, rfc, sections]) =>
        [...sections!.matchAll(/§([\d.]+\d|\d) ((?:[A-Z]|1-|https )[^§]*?)(?:, (?=§|and |with )|; .*|$)/g)].map(
          ([, section, title]) => ({
            file,
            rfc: Number(rfc),
            section: section!,
            title: title!,
          }),
        ),
    ),
  )

  it('is called what the RFC calls it', () => {
    const known = named.filter(({ rfc, section }) => TITLES[rfc]?.[section] !== undefined)
    expect(known.length).to.be.above(60)
    const wrong = known.filter(({ rfc, section, title }) => TITLES[rfc]![section] !== title)
    expect(wrong.map(({ file, rfc, section, title }) => `${file}: RFC ${rfc} §${section} ${title}`)).to.deep.equal([])
  })
})
