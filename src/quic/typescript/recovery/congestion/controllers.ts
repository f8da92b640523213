import type { CongestionControl } from '../../../quic.ts'
import type { CongestionController, ControllerOptions } from './controller.ts'
import { NewReno } from './new-reno.ts'

export function newController(_name: CongestionControl, options: ControllerOptions): CongestionController {
  return new NewReno(options)
}
