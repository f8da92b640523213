import type { CongestionControl } from '../../../quic.ts'
import { Bbr } from './bbr.ts'
import type { CongestionController, ControllerOptions } from './controller.ts'
import { Cubic } from './cubic.ts'
import { NewReno } from './new-reno.ts'

export function newController(name: CongestionControl, options: ControllerOptions): CongestionController {
  switch (name) {
    case 'reno':
      return new NewReno(options)
    case 'cubic':
      return new Cubic(options)
    case 'bbr':
      return new Bbr(options)
  }
}
