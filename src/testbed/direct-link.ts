/**
 * PLACEHOLDER until src/link/emulator-process.ts is there: no emulator, the client talks to the server directly.
 * Only the profile `clean` means something with it.
 */

import { loadProfile as load } from '../link/load-profile.ts'
import { CLEAN, type Profile } from '../link/profile.ts'
import { TestbedError } from './server-process.ts'

/** The part of EmulatorHandle that is used here. */
export interface EmulatorHandle {
  readonly address: { host: string; port: number }
  counters(): Promise<unknown>
  beginTimeline(): Promise<void>
  setProfile(profile: Profile): Promise<void>
  close(): Promise<void>
}

export async function startEmulatorProcess(options: {
  profile: Profile
  seed: string
  to: { host: string; port: number }
}): Promise<EmulatorHandle> {
  const onlyClean = (profile: Profile): void => {
    if (profile.name !== 'clean') throw new TestbedError(`profile ${profile.name}: there is no link emulator yet`)
  }
  onlyClean(options.profile)
  return {
    address: options.to,
    counters: async () => ({}),
    beginTimeline: async () => {},
    setProfile: async profile => onlyClean(profile),
    close: async () => {},
  }
}

export function loadProfile(name: string): Profile {
  if (name !== 'clean') return load(name)
  return { name, title: 'Clean', about: '', source: '', up: CLEAN, down: CLEAN, timeline: [] }
}
