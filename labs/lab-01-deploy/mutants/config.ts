/** Wrong solutions of `config`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('server.toml', {
  'host-bits-in-the-pool': {
    misconception: 'writes a prefix with host bits',
    says: '10.89.1.1/26',
    edits: [['ipv4 = "10.89.1.0/26"', 'ipv4 = "10.89.1.1/26"']],
  },
  'key-of-another-certificate': {
    misconception: 'the key of another certificate',
    says: 'does not belong to the certificate',
    edits: [['key = "../../../cert/out/server-key.pem"', 'key = "../../../cert/out/client-key.pem"']],
  },
  'library-without-ipv6': {
    misconception: 'the library has no IPv6 address',
    says: 'library: 10.90.1.7, no IPv6',
    edits: [['ipv6 = "fd00:90:1::7"', '']],
  },
  'no-ipv6-pool': {
    misconception: 'no IPv6 pool, though routes for IPv6 are there',
    says: 'families are independent',
    edits: [['ipv6 = "fd00:89:1::/64"', '']],
  },
  'no-ipv6-route-to-the-library': {
    misconception: 'the network of the library is advertised for IPv4 only',
    says: 'a [[routes]] prefix that contains fd00:90:1::7',
    edits: [
      [
        `[[routes]]
        prefix = "fd00:90:1::/64"`,
        '',
      ],
    ],
  },
  'no-route-to-the-library': {
    misconception: 'the network of the library is not among the routes',
    says: 'route has been advertised',
    edits: [
      [
        `[[routes]]
        prefix = "10.90.1.0/24"`,
        '',
      ],
    ],
  },
  'not-toml': {
    misconception: 'a bracket is missing',
    says: 'not valid TOML',
    edits: [['[pool]', '[pool']],
  },
  'overlapping-routes': {
    misconception: 'one route that contains another',
    says: 'without overlap',
    edits: [['prefix = "10.90.1.0/24"', 'prefix = "10.0.0.0/8"']],
  },
  'path-from-the-working-directory': {
    misconception: 'takes paths as relative to the working directory',
    says: 'relative to the configuration file',
    edits: [['certificate = "../../../cert/out/server.pem"', 'certificate = "cert/out/server.pem"']],
  },
  'pool-too-large': {
    misconception: 'a pool of another size than the task asks for',
    says: 'pool.ipv4 to be 10.89.1.0/26',
    edits: [
      ['ipv4 = "10.89.1.0/26"', 'ipv4 = "10.89.1.0/24"'],
      ['prefix = "10.89.1.0/26"', 'prefix = "10.89.1.0/24"'],
    ],
  },
  'port-as-text': {
    misconception: 'a port in quotes',
    says: 'listen.port',
    edits: [['port = 4433', 'port = "4433"']],
  },
})
