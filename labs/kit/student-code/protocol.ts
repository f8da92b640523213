/** What a check asks of the student's process, and what it is told. Values are in the form of codec.ts. */

export type Request =
  /** Evaluate the code of a file. It stays loaded. */
  | { id: number; op: 'load'; file: string; code: string }
  /** Call an exported function of a loaded file once for each list of arguments. `whole`: bytes fill their buffers. */
  | { id: number; op: 'call'; file: string; name: string; argLists: unknown[]; whole?: boolean }
  /** Construct an exported class, and keep the object under a number. */
  | { id: number; op: 'create'; file: string; name: string; object: number; args: unknown }
  | { id: number; op: 'method'; object: number; name: string; argLists: unknown[] }
  | { id: number; op: 'get'; object: number; name: string }

export type Reply =
  /** The child is up. */
  | { id: 0; ready: true }
  /** The code ends its process. */
  | { id: -2; exit: number }
  /** One outcome; a request with n lists of arguments has n of them. `printed`: on the way to it. */
  | { id: number; value: unknown; printed?: string }
  | { id: number; error: WireError; all?: true; printed?: string }

export interface WireError {
  kind: string
  message: string
  errorName?: string
  /** Its class and those above that. */
  classes?: string[]
  /** Line and column in the code that was loaded, both from 1. */
  at?: [file: string, line: number, column: number]
}
