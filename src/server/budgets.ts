/** What clients may hold in the proxy at once, beside tunnels: figures in docs/security.md. */

import { SharedBudget } from './shared-budget.ts'

/** The owner of something is an identity or, where there is none, the address that a connection came from. */
export interface Budgets {
  /** Requests that cannot be answered yet, because a name is looked up or the client's SETTINGS are not here. */
  readonly pendingRequests: SharedBudget
  /** Bytes of capsules that were sent ahead of the answer to such a request. */
  readonly capsulesAhead: SharedBudget
  /** Addresses beyond the first one of its family in a tunnel. */
  readonly extraAddresses: SharedBudget
  /** Tunnels of one IP address, whoever is behind it. */
  readonly tunnelsOfAddress: SharedBudget
}

export const BUDGET_LIMITS = {
  pendingRequests: { each: 64, inAll: 512 },
  capsulesAhead: { each: 512 * 1024, inAll: 8 * 1024 * 1024 },
  extraAddresses: { each: 16, inAll: Number.POSITIVE_INFINITY },
} as const

export function newBudgets(tunnelsOfAddress: number): Budgets {
  return {
    pendingRequests: new SharedBudget(BUDGET_LIMITS.pendingRequests),
    capsulesAhead: new SharedBudget(BUDGET_LIMITS.capsulesAhead),
    extraAddresses: new SharedBudget(BUDGET_LIMITS.extraAddresses),
    tunnelsOfAddress: new SharedBudget({ each: tunnelsOfAddress, inAll: Number.POSITIVE_INFINITY }),
  }
}
