/** The interface between loss recovery and congestion control, as the engine has it: what you write fits into it as it is. */
export type {
  CongestionController,
  ControllerOptions,
} from '../../src/quic/typescript/recovery/congestion/controller.ts'
export type { DeliveryRateSample } from '../../src/quic/typescript/recovery/delivery-rate.ts'
export type { Rtt } from '../../src/quic/typescript/recovery/rtt.ts'
export type { SentPacket } from '../../src/quic/typescript/recovery/sent-packet.ts'
