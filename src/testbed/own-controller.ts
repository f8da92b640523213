/**
 * A congestion control of one's own, from a file:
 *
 *     export default class implements CongestionController { constructor(options: ControllerOptions) … }
 *
 * What it has to have is in quic/typescript/recovery/congestion/controller.ts; new-reno.ts beside that is the shortest one. It runs in the processes
 * that have the two ends of the tunnel, with all that these may do.
 */
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { connectByHttp3 } from '../carriers/h3/client-connection.ts'
import type { Connect } from '../carriers/http-connection.ts'
import { type ClientConfigOverrides, defaultClientConfig } from '../client/config.ts'
import { quicSettings } from '../config/sections.ts'
import type { NewController, QuicSettings } from '../quic/quic.ts'
import { type ControllerFile, type ControlName, TestbedError } from './orders.ts'

export function isControllerFile(name: string): name is ControllerFile {
  return name.endsWith('.ts')
}

/** Rejects with TestbedError. */
export async function loadControl(name: ControlName): Promise<QuicSettings['congestionControl']> {
  if (!isControllerFile(name)) return name
  const problem = (what: string) => new TestbedError(`congestion control ${name}: ${what}`)
  const loaded = await import(pathToFileURL(resolve(name)).href).catch(error => {
    throw problem(`cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
  })
  const Controller: unknown = loaded.default
  if (typeof Controller !== 'function') {
    throw problem(
      `expected a class as its default export, found ${Controller === undefined ? 'none' : typeof Controller}`,
    )
  }
  const make: NewController = options =>
    new (Controller as new (o: typeof options) => ReturnType<NewController>)(options)
  return make
}

/** How a client connects that has one: its configuration knows names only. */
export function connectWith(congestionControl: NewController, quic: ClientConfigOverrides['quic']): Connect {
  return connectByHttp3({ ...quicSettings(defaultClientConfig({ quic }).quic), congestionControl })
}
