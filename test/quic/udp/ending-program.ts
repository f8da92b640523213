/** Opens a UDP socket and ends, in the way that its argument says, while that waits for packets. */

import { bindSocket } from '../../../src/quic/udp/open-socket.ts'

const socket = await bindSocket({ host: '127.0.0.1', port: 0 }, { choice: 'auto' })
socket.start({ onPacket() {}, onError() {} })
// The wait has begun by then.
setTimeout(() => {
  if (process.argv[2] === 'exit') process.exit(7)
  if (process.argv[2] === 'throw') throw new Error('a bug')
  void socket.close()
}, 50)
