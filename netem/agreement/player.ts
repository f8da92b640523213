/** Sets and plays profiles on the kernel backend, on order of kernel-side.ts; ends when that does. */
import { KernelLink, topology } from '../../src/link/kernel/kernel-link.ts'
import type { Profile } from '../../src/link/profile/profile.ts'

export type PlayerOrder =
  /** Done when the link is in place. A trace begins, and goes on until the next order. */
  | { order: 'set'; link: Profile }
  /** Done when the timeline has begun. */
  | { order: 'play'; profile: Profile }

let link: KernelLink | undefined
let stop = new AbortController()
let playing: Promise<void> = Promise.resolve()
let moved = false

/** Answers orders from the parent process: 'done', or what went wrong. */
export function servePlayer(): void {
  process.on('message', message => {
    void obey(message as PlayerOrder).then(
      () => process.send?.('done'),
      error => process.send?.(error instanceof Error ? error.message : String(error)),
    )
  })
  process.on('disconnect', () => process.exit())
}

async function obey(order: PlayerOrder): Promise<void> {
  link ??= KernelLink.open()
  stop.abort()
  await playing
  stop = new AbortController()
  if (moved) topology('handover', '0')
  moved = order.order === 'play' && order.profile.second !== undefined
  link.clear()
  if (order.order === 'play' || order.link.up.trace || order.link.down.trace) {
    await begin(link, order.order === 'play' ? order.profile : order.link)
  } else {
    await link.apply(order.link)
  }
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
