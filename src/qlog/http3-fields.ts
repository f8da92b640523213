/** Parts of HTTP/3 as draft-ietf-quic-qlog-h3-events writes them, without anything secret. */

import { DecodeError } from '../bytes/errors.ts'
import { Reader } from '../bytes/reader.ts'
import { decodeAddressAssign } from '../connect-ip/address-assign.ts'
import { decodeAddressRequest } from '../connect-ip/address-request.ts'
import { CapsuleType } from '../connect-ip/capsule.ts'
import { DNS_ASSIGN } from '../connect-ip/dns/dns-assign.ts'
import { PREF64 } from '../connect-ip/dns/pref64.ts'
import { decodeRouteAdvertisement, describeRoute } from '../connect-ip/route-advertisement.ts'
import type { Header } from '../http/header.ts'
import { isReservedId } from '../http3/grease.ts'
import { SettingId } from '../http3/settings.ts'
import { printable } from '../text/printable.ts'

/** Entries of a list in a record; how many there are in all stands beside them. */
export const MAX_QLOG_ENTRIES = 32
/** Characters of a field's value. */
export const MAX_QLOG_VALUE = 256

/** Whose values may be read by whoever reads the file. Of all others, credentials among them, only the names are told. */
const OPEN_FIELDS = new Set([
  ':method',
  ':scheme',
  ':authority',
  ':path',
  ':protocol',
  ':status',
  'capsule-protocol',
  'content-length',
  'content-type',
  'masque-lab-encapsulation',
  'masque-lab-fec',
  'proxy-status',
  'server',
  'user-agent',
])

/** HTTP3HTTPField. */
export function qlogHeaders(headers: readonly Header[]): { name: string; value?: string }[] {
  return headers.slice(0, MAX_QLOG_ENTRIES).map(([name, value]) => {
    const shown = printable(name).slice(0, MAX_QLOG_VALUE)
    if (!OPEN_FIELDS.has(name)) return { name: shown }
    // A page has its token in the query.
    const open = name === ':path' ? value.replace(/\?.*$/s, '?…') : value
    return { name: shown, value: printable(open).slice(0, MAX_QLOG_VALUE) }
  })
}

/** By HTTP3Setting. */
const SETTING_NAMES = new Map<number, string>([
  [SettingId.QPACK_MAX_TABLE_CAPACITY, 'settings_qpack_max_table_capacity'],
  [SettingId.MAX_FIELD_SECTION_SIZE, 'settings_max_field_section_size'],
  [SettingId.QPACK_BLOCKED_STREAMS, 'settings_qpack_blocked_streams'],
  [SettingId.ENABLE_CONNECT_PROTOCOL, 'settings_enable_connect_protocol'],
  [SettingId.H3_DATAGRAM, 'settings_h3_datagram'],
])

export interface QlogSetting {
  readonly name: string
  readonly name_bytes?: number
  readonly value: number
}

/** Throws DecodeError where the payload ends inside of one. */
export function qlogSettings(payload: Uint8Array): QlogSetting[] {
  const reader = new Reader(payload)
  const settings: QlogSetting[] = []
  while (reader.remaining > 0 && settings.length < MAX_QLOG_ENTRIES) {
    const id = BigInt(reader.varint())
    const value = Number(reader.varint())
    const name = SETTING_NAMES.get(Number(id)) ?? (isReservedId(id) ? 'reserved' : 'unknown')
    settings.push({ name, ...(name === 'unknown' && { name_bytes: Number(id) }), value })
  }
  return settings
}

const CAPSULE_NAMES = new Map<bigint, string>([
  [CapsuleType.DATAGRAM, 'datagram'],
  [CapsuleType.ADDRESS_ASSIGN, 'address_assign'],
  [CapsuleType.ADDRESS_REQUEST, 'address_request'],
  [CapsuleType.ROUTE_ADVERTISEMENT, 'route_advertisement'],
  [DNS_ASSIGN, 'dns_assign'],
  [PREF64, 'pref64'],
])

/** HTTPCapsule: of those of RFC 9484, which the draft does not know, in words what they hold. */
export function qlogCapsule(type: bigint, value: Uint8Array): object {
  const name = CAPSULE_NAMES.get(type)
  const raw = { payload_length: value.length }
  if (name === undefined) return { capsule_type: 'unknown', capsule_type_value: Number(type), raw }
  const entries = capsuleEntries(type, value)
  if (entries === undefined) return { capsule_type: name, raw }
  return { capsule_type: name, entries: entries.slice(0, MAX_QLOG_ENTRIES), number_of_entries: entries.length, raw }
}

function capsuleEntries(type: bigint, value: Uint8Array): (string | object)[] | undefined {
  try {
    switch (type) {
      case CapsuleType.ADDRESS_ASSIGN:
        return decodeAddressAssign(value).map(({ requestId, prefix }) => ({
          request_id: Number(requestId),
          prefix: String(prefix),
        }))
      case CapsuleType.ADDRESS_REQUEST:
        return decodeAddressRequest(value).map(({ requestId, prefix }) => ({
          request_id: Number(requestId),
          prefix: String(prefix),
        }))
      case CapsuleType.ROUTE_ADVERTISEMENT:
        return decodeRouteAdvertisement(value).map(describeRoute)
    }
  } catch (error) {
    // Whoever is to act on it says what is wrong.
    if (!(error instanceof DecodeError)) throw error
  }
  return undefined
}
