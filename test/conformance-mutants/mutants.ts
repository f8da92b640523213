/** For each row of docs/conformance.md, and for each attack, the lines that meet it, taken away; see mutant.ts. */
import type { Mutant } from './mutant.ts'
import { ATTACK_MUTANTS } from './rows/attack.ts'
import { CAPSULE_MUTANTS } from './rows/capsules.ts'
import { DATAGRAM_MUTANTS } from './rows/datagrams.ts'
import { FORWARDING_MUTANTS } from './rows/forwarding.ts'
import { HTTP3_MUTANTS } from './rows/http3.ts'
import { ORDER_AND_SCOPE_MUTANTS } from './rows/order-and-scope.ts'
import { QUIC_MUTANTS } from './rows/quic.ts'
import { REQUEST_MUTANTS } from './rows/request.ts'

export const MUTANTS: readonly Mutant[] = [
  ...REQUEST_MUTANTS,
  ...CAPSULE_MUTANTS,
  ...DATAGRAM_MUTANTS,
  ...FORWARDING_MUTANTS,
  ...ORDER_AND_SCOPE_MUTANTS,
  ...HTTP3_MUTANTS,
  ...QUIC_MUTANTS,
  ...ATTACK_MUTANTS,
]
