/**
 * Run in a network namespace of its own (see test/client/link-down.test.ts): a proxy and a client on the loopback
 * interface, which goes down and up. Prints what the client said, as JSON.
 */

import { execFileSync } from 'node:child_process'
import { ClientError } from '../../src/client/errors.ts'
import { closeLoopback, connectClient, failure, newClient, ping, startServer } from './loopback.ts'

const ip = (command: string) => execFileSync('ip', command.split(' '))
/** With its address, which a link loses when it is unplugged. */
const link = {
  up() {
    ip('address replace 127.0.0.1/8 dev lo')
    ip('link set lo up')
  },
  down() {
    ip('link set lo down')
    ip('address flush dev lo')
  },
}
const overrides = {
  // Not shorter: this program has just begun, and what it does for the first time takes long on a machine that is busy.
  quic: { idleTimeoutMs: 1500 },
  reconnect: { enabled: true, initialDelayMs: 20, maxDelayMs: 20 },
}

link.up()
const server = await startServer()
link.down()
const atStart = (await failure((await newClient(server, overrides)).connect(), ClientError)).message
link.up()
const { client } = await connectClient(server, overrides)
const down = new Promise<string>(resolve => client.once('down', error => resolve(error.message)))
const attempt = new Promise<string>(resolve => client.once('attemptFailed', error => resolve(error.message)))
let gaveUp: string | undefined
client.once('gaveUp', error => {
  gaveUp = error.message
})
await ping(client, '10.90.0.1')
link.down()
const report = { atStart, down: await down, attempt: await attempt }
const up = new Promise(resolve => client.once('up', resolve))
link.up()
await up
await ping(client, '10.90.0.1')
console.log(JSON.stringify({ ...report, gaveUp, answeredAgain: true }))
await closeLoopback()
