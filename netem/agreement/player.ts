/** Sets and plays profiles on the kernel backend, on order of kernel-side.ts; ends when that does. */
import { KernelLink, topology } from '../../src/link/kernel/kernel-link.ts'
import type { Profile } from '../../src/link/profile/profile.ts'
import { serveParent } from '../../src/process/serve-parent.ts'

let link: KernelLink | undefined
let stop = new AbortController()
let playing: Promise<void> = Promise.resolve()
let moved = false

const orders = {
  /** Done when the link is in place. A trace begins, and goes on until the next order. */
  async set(profile: Profile) {
    const on = await cleared()
    if (profile.up.trace || profile.down.trace) await begin(on, profile)
    else await on.apply(profile)
  },
  /** Done when the timeline has begun. */
  async play(profile: Profile) {
    const on = await cleared()
    moved = profile.second !== undefined
    await begin(on, profile)
  },
}
export type PlayerOrders = typeof orders

/** Answers orders from the parent process. */
export function servePlayer(): void {
  serveParent(orders)
}

/** The link, with nothing on it, and the client where it was in the beginning. */
async function cleared(): Promise<KernelLink> {
  link ??= KernelLink.open()
  stop.abort()
  await playing
  stop = new AbortController()
  if (moved) topology('handover', '0')
  moved = false
  link.clear()
  return link
}

/** Resolves when the first step of each direction is with the kernel. */
async function begin(on: KernelLink, profile: Profile): Promise<void> {
  let steps = 0
  await new Promise<void>((resolve, reject) => {
    playing = on.play(profile, {
      signal: stop.signal,
      onStep: () => {
        if (++steps === 2) resolve()
      },
    })
    playing.catch(reject)
  })
}
