import { expect } from 'chai'
import { plainResponse } from '../../src/server/plain-response.ts'

describe('the answer to a request that asks for no tunnel', () => {
  const cases: [method: string, path: string, status: string, allow?: string][] = [
    ['GET', '/', '200'],
    ['GET', '/?from=here', '200'],
    ['HEAD', '/', '200'],
    ['GET', '/elsewhere', '404'],
    ['HEAD', '/elsewhere', '404'],
    ['GET', '/.well-known/masque/ip/*/*/', '404'],
    ['POST', '/elsewhere', '404'],
    ['POST', '/', '405', 'GET, HEAD'],
    ['PUT', '/', '405', 'GET, HEAD'],
    ['DELETE', '/', '405', 'GET, HEAD'],
    ['PATCH', '/', '405', 'GET, HEAD'],
    ['TRACE', '/', '405', 'GET, HEAD'],
    ['OPTIONS', '*', '405', 'GET, HEAD'],
    ['BREW', '/', '501'],
    ['BREW', '/elsewhere', '501'],
    ['get', '/', '501'],
    ['', '', '501'],
  ]
  for (const [method, path, status, allow] of cases) {
    it(`H3-08 ${method || 'no method'} ${path || 'without a path'}: ${status}`, () => {
      const { headers, body } = plainResponse(method, path)
      const fields = Object.fromEntries(headers)
      expect(fields).to.include({ ':status': status, 'content-type': 'text/plain; charset=utf-8' })
      expect(fields.allow).to.equal(allow)
      // RFC 9110 §9.3.2: HEAD has the fields of GET, and no content.
      const content = plainResponse(method === 'HEAD' ? 'GET' : method, path).body
      expect(fields['content-length']).to.equal(String(content.length))
      expect(body.length).to.equal(method === 'HEAD' ? 0 : content.length)
    })
  }
})
