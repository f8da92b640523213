/** The contenders as programs with TUN devices, in namespaces (network.ts). */

import type { TestCertificates } from '../../src/cert/make-certificates.ts'
import { CONNECT_IP } from './connect-ip.ts'
import type { Arena, Contender } from './contender.ts'
import { CompareNetwork } from './network.ts'
import { OPENVPN } from './openvpn.ts'
import { runOnce } from './run.ts'
import { WIREGUARD } from './wireguard.ts'

const CONTENDERS: readonly Contender[] = [...CONNECT_IP, WIREGUARD, OPENVPN]
/** Of all that can take part anywhere: the arena without namespaces has some of them. */
export const CONTENDER_NAMES: readonly string[] = CONTENDERS.map(({ name }) => name)

export async function openKernelArena(certificates: TestCertificates, scratch: string): Promise<Arena> {
  const able = CONTENDERS.filter(contender => contender.whyNot() === undefined)
  const unable = CONTENDERS.flatMap(({ title, whyNot }) => {
    const why = whyNot()
    return why === undefined ? [] : [`${title}: ${why}`]
  })
  const network = await CompareNetwork.open()
  return {
    contenders: able,
    hasTcp: true,
    absent: unable,
    about: 'TUN devices in network namespaces',
    run(name, profile, seed, traffic) {
      const contender = able.find(each => each.name === name) as Contender
      return runOnce({ network, certificates, scratch }, contender, profile, seed, traffic)
    },
    close: () => network.close(),
  }
}
