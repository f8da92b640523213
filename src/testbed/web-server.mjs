/** The web server behind the proxy of `npm run testbed`: says who asks, and gives as many bytes as one wants (/bytes/1000000). */

import { createServer } from 'node:http'

const CHUNK = Buffer.alloc(64 * 1024)

const server = createServer((request, response) => {
  const bytes = /^\/bytes\/(\d{1,12})$/.exec(request.url ?? '')?.[1]
  if (bytes === undefined) {
    response.end(
      `You have reached the web server behind the proxy. It sees you as ${request.socket.remoteAddress?.replace('::ffff:', '')}.\n`,
    )
    return
  }
  let left = Number(bytes)
  response.setHeader('content-length', left)
  const write = () => {
    while (left > 0) {
      const chunk = CHUNK.subarray(0, Math.min(left, CHUNK.length))
      left -= chunk.length
      if (!response.write(chunk)) {
        response.once('drain', write)
        return
      }
    }
    response.end()
  }
  write()
})
server.listen(80, '::', () => console.log('listening'))
