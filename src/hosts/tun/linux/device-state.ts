/**
 * How an interface is set up beside what a tunnel needs: what the kernel is to leave alone on a device of ours; and, for a device that outlives who uses
 * it, how it was before.
 */

import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { IpAddress } from '../../../ip/address.ts'
import { differences, type InterfaceAddress } from '../device.ts'
import { TunError } from '../errors.ts'
import { type LinkState, RouteSocket, type Routes } from './route-socket.ts'
import { readSetting, writeSetting } from './settings.ts'

/** CAP_NET_ADMIN, as the number of its bit (<linux/capability.h>). */
const NET_ADMIN = 12n

/**
 * By family and name. Routes and addresses come from the tunnel's own capsules alone: a peer that sends router advertisements or redirects must not set any
 * (where IPv4's `all` says otherwise, the kernel goes by that; so such packets do not even come out of a tunnel, see connect-ip/link-scope.ts).
 *
 * accept_local: our end of the tunnel says by ICMP what it refuses, from the address that the device has. The kernel would take that for forged, in
 * IPv4 alone, and a program would wait for an answer. Whoever is at the other end could use this, too: a proxy lets nobody send
 * from its own address, and a client trusts its proxy with more than that.
 */
const WANTED: Readonly<Record<string, string>> = {
  'ipv4 accept_local': '1',
  'ipv4 accept_redirects': '0',
  'ipv4 secure_redirects': '0',
  'ipv4 send_redirects': '0',
  'ipv6 accept_ra': '0',
  'ipv6 accept_redirects': '0',
  'ipv6 autoconf': '0',
  'ipv6 router_solicitations': '0',
  // No link-local address of the kernel's own making: nobody at the other end of a tunnel answers there.
  'ipv6 addr_gen_mode': '1',
}

/** How a persistent device is, to be put back. */
export const deviceState = z.object({
  name: z.string(),
  /** Of another device that has the name by now, nothing is changed. */
  index: z.number().int(),
  isUp: z.boolean(),
  mtu: z.number().int(),
  /** With their length, such as 10.7.0.2/24. */
  addresses: z.array(z.string()),
  settings: z.record(z.string(), z.string()),
})
export type DeviceState = z.output<typeof deviceState>

/** Without the rights for it, or the family, a setting stays as it is. */
export function settle(name: string): void {
  for (const [setting, value] of Object.entries(WANTED)) {
    try {
      writeSetting(keyOf(name, setting), value)
    } catch (error) {
      if (!(error instanceof TunError)) throw error
    }
  }
}

/** Throws TunError. */
export function readDeviceState(routes: Routes, { name, index, isUp, mtu }: LinkState): DeviceState {
  const settings: Record<string, string> = {}
  for (const setting of Object.keys(WANTED)) {
    const value = readSetting(keyOf(name, setting))
    if (value !== undefined) settings[setting] = value
  }
  return { name, index, isUp, mtu, addresses: addressesOf(routes, index).map(textOf), settings }
}

/** Puts a persistent device back, unless it is gone or somebody uses it. Throws TunError. */
export function restoreDevice({ name, index, isUp, mtu, addresses, settings }: DeviceState): void {
  const routes = new RouteSocket()
  try {
    const link = routes.link(name)
    if (link?.index !== index || link.tun === undefined || link.tun.queues > 0) return
    for (const prefix of routes.routes(index)) routes.removeRoute(index, prefix)
    // Before the addresses: IPv6's go when it goes down. One that somebody has taken down meanwhile stays so.
    if (link.isUp && !isUp) routes.setLink(index, { up: false })
    if (link.mtu !== mtu) routes.setLink(index, { mtu })
    // These, too: with addr_gen_mode the kernel makes a link-local address at once.
    for (const setting of Object.keys(WANTED)) {
      const key = keyOf(name, setting)
      const before = settings[setting]
      if (before !== undefined && readSetting(key) !== before) writeSetting(key, before)
    }
    const { remove, add } = differences(addressesOf(routes, index), addresses.map(parse), textOf)
    for (const entry of remove) routes.removeAddress(index, entry)
    for (const entry of add) routes.addAddress(index, entry)
  } finally {
    routes.close()
  }
}

/** May this process change interfaces at all? */
export function mayChangeNetwork(): boolean {
  const capabilities = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'
  return ((BigInt(`0x${capabilities}`) >> NET_ADMIN) & 1n) === 1n
}

function keyOf(name: string, setting: string): string {
  const [family, key] = setting.split(' ')
  return `net/${family}/conf/${name}/${key}`
}

function addressesOf(routes: Routes, index: number): InterfaceAddress[] {
  return routes.addresses(true).filter(entry => entry.index === index)
}

function textOf({ address, length }: InterfaceAddress): string {
  return `${address}/${length}`
}

function parse(text: string): InterfaceAddress {
  const [address, length] = text.split('/')
  return { address: IpAddress.parse(address), length: Number(length) }
}
