/** What takes part in a comparison, and where. */

import type { TestCertificates } from '../../src/cert/make-certificates.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import type { CompareNetwork } from './network.ts'
import type { Run, Traffic } from './run.ts'

/** Where contenders run: in namespaces with TUN devices (kernel-arena.ts), or in processes of ours without (userspace-arena.ts). */
export interface Arena {
  readonly contenders: readonly Pick<Contender, 'name' | 'title' | 'atHandover'>[]
  /** Whether there is TCP to be sent through the tunnels: the system's own. */
  readonly hasTcp: boolean
  /** Who cannot take part here and why, a sentence each. */
  readonly absent: readonly string[]
  /** What has been measured with, in one sentence. */
  readonly about: string
  /** Once through the profile. Rejects with what kept the contender from carrying anything at all. */
  run(name: string, profile: Profile, seed: string, traffic: Traffic): Promise<Run>
  /** Ends everything. */
  close(): Promise<void>
}

export interface Setting {
  readonly network: CompareNetwork
  readonly certificates: TestCertificates
  /** For keys and configuration files. */
  readonly scratch: string
}

/** Something that carries IP packets between TUN devices. */
export interface Contender {
  /** For the command line, JSON and file names. */
  readonly name: string
  /** In tables and figures. */
  readonly title: string
  /** What happens to it at a handover, in one sentence. */
  readonly atHandover: string
  /** What its packets are to the link; default `udp`. */
  readonly carriedBy?: 'udp' | 'tcp'
  /** Why it cannot take part here, in one sentence; undefined: it can. */
  whyNot(): string | undefined
  /** Starts both ends, and resolves when they have been set up. They end with the network's `endPrograms`. */
  start(setting: Setting): Promise<RunningContender>
}

export interface RunningContender {
  /** The client's path has changed, this moment. For those that have to be told. */
  moved?(): void
}
