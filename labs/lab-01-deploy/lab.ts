/** Lab 1 as data. The check of each task is in `checks/`, under its name. */
import { userPorts } from '../../src/net/user-ports.ts'
import { defineLab } from '../kit/lab/declare.ts'

/** As in the student's copy of server.toml. */
const API = `127.0.0.1:${userPorts().api}`
const PROMETHEUS = `127.0.0.1:${userPorts().prometheus}`
const ROUTING = 'RFC 9484 §7.2 Routing Operation'

export const lab = defineLab({
  at: import.meta.url,
  id: 'lab-01-deploy',
  number: 1,
  title: 'Deploy a CONNECT-IP tunnel',
  summary:
    'Bring up a proxy and a client, send the first packets through the tunnel in IPv4 and IPv6, and see what holds it together.',
  objectives: [
    'set up a CONNECT-IP proxy and a client, with certificates',
    'explain where the addresses and routes of a tunnel come from',
    'predict what happens to the TTL of a packet on its way',
    'tell a failure of trust from other failures, and mend it',
    'let Prometheus collect the figures of a proxy',
  ],
  prerequisites: ['IPv4 and IPv6 addresses and prefixes', 'what a TLS certificate is for', 'a terminal'],
  minutes: 80,
  demonstration: {
    title: 'a proxy and a client on this machine',
    about: 'A real proxy and a real client, over UDP on loopback. No rights are needed.',
    phases: [
      { id: 'load', title: 'Code loaded' },
      { id: 'certificates', title: 'Certificates made' },
      { id: 'server', title: 'Proxy is up' },
      { id: 'handshake', title: 'QUIC handshake' },
      { id: 'session', title: 'CONNECT-IP session' },
      { id: 'addresses', title: 'Addresses assigned' },
      { id: 'ping4', title: 'Ping, IPv4' },
      { id: 'ping6', title: 'Ping, IPv6' },
    ],
    async run(context) {
      context.begin('load')
      const { demonstrate } = await import('./demonstration.ts')
      context.done('load', 'what you find in src/')
      return await demonstrate(context)
    },
  },
  panel: async () => (await import('./ui.tsx')).TopologyPanel,
  reading: ['RFC 9484 §1, §4.7, §7, §8.1', 'RFC 9298 for the sibling that proxies UDP', 'RFC 9000 §1 for QUIC'],
  tasks: [
    {
      id: 'certificates',
      title: 'Make certificates',
      kind: 'question',
      points: 10,
      files: ['answers.toml'],
      brief: `
        The tunnel runs inside a QUIC connection, and QUIC is always encrypted: there is no mode without TLS. So the proxy
        needs a certificate before it can say a single word. In a terminal of your own:

        \`\`\`
        npm run cert
        ls -l cert/out
        \`\`\`

        It makes a certificate authority of your own, a certificate for the server, signed by that authority, and
        certificates for clients. Look at the server's:

        \`\`\`
        openssl x509 -in cert/out/server.pem -noout -text
        \`\`\`

        Find out who signed it (issuer), for whom (subject alternative names), and until when.
      `,
      questions: [
        {
          id: 'trust',
          prompt:
            'A client is to find out whether it really talks to your proxy. Which one file from cert/out must be given to it beforehand?',
          placeholder: 'something.pem',
        },
      ],
      hints: [
        'In the handshake the server sends its own certificate. What does the client need to judge it?',
        'Which of the files hold a private key? Those are never given to anybody.',
        'The certificate of the authority: with its public key the client verifies the signature on `server.pem`.',
      ],
      reading: ['cert/README.md', 'labs/lab-01-deploy/README.md, "Who trusts whom"'],
    },
    {
      id: 'config',
      title: "Complete the server's configuration",
      kind: 'config',
      points: 25,
      files: ['server.toml'],
      brief: `
        This is the network that the proxy is to offer:

        \`\`\`
        client ===== tunnel ===== proxy -------- library
        10.89.1.x                 10.89.1.1      10.90.1.7
        fd00:89:1::x              fd00:89:1::1   fd00:90:1::7
        \`\`\`

        - Clients get addresses from \`10.89.1.0/26\` and from \`fd00:89:1::/64\`.
        - Behind the proxy is a host called library, with the two addresses above. It lives inside the server process:
          no machine of its own, no special rights.
        - Clients are told routes to each other and to the networks of the library, \`10.90.1.0/24\` and
          \`fd00:90:1::/64\`.

        \`server.toml\` is an attempt at that. **Four things in it are missing or wrong.** Find and mend them. The check starts a
        server of its own from your file, connects a client that asks for both families, and pings the library.
      `,
      hints: [
        'The server says which file it cannot find. Paths in the configuration are relative to the configuration file: count the `../`.',
        'Everything in the drawing exists twice, once for IPv4 and once for IPv6. Does the file say both each time?',
        'A host behind the proxy is of no use to a client that has no route to it. `config/server.local.toml` shows how routes are written.',
        'The four: `tls.certificate`, `pool.ipv6`, `ipv6` of the library, and three more `[[routes]]`.',
      ],
      reading: [
        'src/server/config.ts: every key and its meaning',
        'RFC 9484 §8.1 Remote Access VPN',
        'RFC 9484 §4.7.3 ROUTE_ADVERTISEMENT Capsule',
      ],
    },
    {
      id: 'server',
      title: 'Start the server and read its state',
      kind: 'live',
      points: 10,
      files: ['server.toml', 'answers.toml'],
      brief: `
        Start the proxy in a terminal of its own, and leave it running:

        \`\`\`
        npm run server -- -c labs/lab-01-deploy/exercises/server.toml
        \`\`\`

        It listens on a UDP port for QUIC, and on a TCP port for questions about itself. Ask it, in another terminal (or
        open the addresses in a browser):

        \`\`\`
        curl http://${API}/health
        curl http://${API}/api/v1/status
        \`\`\`

        The ports are your own (\`npm run lab -- --ports\`), so that nobody on a shared machine is in your way. If you have
        changed \`api.port\` in \`server.toml\`, it is that one.

        The status shows the pools: how many addresses there are to lease in each family, and how many are leased.
      `,
      questions: [
        {
          id: 'leases',
          prompt: 'How many IPv4 addresses can your server lease in all? Predict it from the prefix, then read it.',
          placeholder: 'a number',
        },
      ],
      hints: [
        'The field is `total`, in the entry of `pools` whose `family` is 4.',
        'A /26 has 64 addresses. The first and the last of an IPv4 prefix are special; and the proxy needs one for itself.',
      ],
      reading: ['src/ip/address-pool.ts', 'src/server/api-server.ts'],
    },
    {
      id: 'address',
      title: 'Connect a client and explain its address',
      kind: 'live',
      points: 20,
      files: ['client.toml', 'answers.toml'],
      brief: `
        With the server still running, start a client in one more terminal:

        \`\`\`
        npm run client -- -c labs/lab-01-deploy/exercises/client.toml
        \`\`\`

        It reports the addresses it was assigned and the routes it was told. The server knows it too:

        \`\`\`
        curl http://${API}/api/v1/clients
        \`\`\`

        It has **an IPv4 address only, and one route**, although your server leases addresses of both families and offers four routes. So it
        may send nothing over IPv6, and nothing to the proxy itself. Change \`client.toml\` so that the client gets an address of each family
        and is told all four routes, and start it again. Leave it running for the check.
      `,
      questions: [
        {
          id: 'origin',
          prompt: 'Where does the address of the client come from?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'The operating system of the client chose it from a private range.',
            b: 'The proxy leased it, and told it in an ADDRESS_ASSIGN capsule.',
            c: 'A DHCP server behind the proxy answered through the tunnel.',
            d: 'It was negotiated among the transport parameters of the QUIC handshake.',
          },
        },
        {
          id: 'sources',
          prompt: 'The IPv4 address arrived with prefix length 32. From how many source addresses may the client send?',
          placeholder: 'a number',
        },
      ],
      hints: [
        'A client gets what it asks for. What does `client.toml` ask for? RFC 9484 §4.6 calls it the scope of the request.',
        'The request is an ADDRESS_REQUEST capsule; the answer to it is an ADDRESS_ASSIGN capsule. Both travel on the request stream.',
        'A prefix length counts the bits that are fixed. In an IPv4 address with 32 fixed bits, how many are free?',
      ],
      reading: [
        'RFC 9484 §4.6 Limiting Request Scope',
        'RFC 9484 §4.7.1 ADDRESS_ASSIGN Capsule',
        'src/connect-ip/address-assign.ts',
      ],
    },
    {
      id: 'ping',
      title: 'Ping, and predict the TTL',
      kind: 'question',
      points: 20,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        Every IP packet carries a number that is decremented by each router on its way: the TTL in IPv4, the hop limit in
        IPv6. When it is used up, the packet is dropped: no packet travels in circles for ever.

        Two addresses are worth a ping through the tunnel, each in both families:

        - the library, \`10.90.1.7\` and \`fd00:90:1::7\`, a host behind the proxy
        - the proxy itself, \`10.89.1.1\` and \`fd00:89:1::1\`

        Both make their answers with TTL (hop limit) **64**. With which value do the answers _arrive_ at the client? It is the
        same in both families. Read the section of the RFC, answer, and only then measure (all on one line):

        \`\`\`
        npm run client -- -c labs/lab-01-deploy/exercises/client.toml
            --ping 10.90.1.7 --ping fd00:90:1::7
            --ping 10.89.1.1 --ping fd00:89:1::1
        \`\`\`

        The check measures all four by itself, with a server and a client from your files. Then it pings the library some more, with a size that
        nobody else gets, and keeps what the server has counted in \`measured.toml\`: the last question is about **your** numbers.
      `,
      questions: [
        {
          id: 'host',
          prompt: 'TTL of the answers of the library, when they arrive at the client?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'gateway',
          prompt: 'TTL of the answers of the proxy itself, when they arrive at the client?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'data',
          prompt:
            'Once measured: your server has counted packets and bytes of IPv4 pings. How many bytes of ICMP data did each of them carry?',
          placeholder: 'a number',
        },
      ],
      hints: [
        'A tunnel has two ends. Does a packet lose a hop at both of them?',
        'RFC 9484 §7.2: "decrement the IP Hop Count (or TTL) upon encapsulation but not upon decapsulation."',
        'And the last sentence of that paragraph: it does not apply to packets that the endpoint makes itself. Which of the two answers is forwarded, which is made by the endpoint?',
        'data: the server counts whole IP packets. Around the data of a ping are two headers, of 20 bytes and of 8.',
      ],
      reading: [ROUTING, 'labs/lab-01-deploy/README.md, "The way of a packet"'],
    },
    {
      id: 'trust',
      title: 'Break the trust, name the alert, mend it',
      kind: 'config',
      points: 15,
      files: ['client-trust.toml', 'answers.toml'],
      brief: `
        Now something is to fail, on purpose. Make a second authority, which has nothing to do with your proxy:

        \`\`\`
        npm run cert -- --out cert/other
        \`\`\`

        \`client-trust.toml\` trusts this other authority and no other. With the server running, start that client and read what it
        says:

        \`\`\`
        npm run client -- -c labs/lab-01-deploy/exercises/client-trust.toml
        \`\`\`

        The client refuses the server, and tells it why: with a TLS alert, carried as an error code of QUIC. Answer the two
        questions; then change \`client-trust.toml\` so that it connects, **without giving up verification**.
      `,
      questions: [
        {
          id: 'alert',
          prompt: 'Which TLS alert does the client send?',
          placeholder: 'its name in RFC 8446, such as decode_error',
        },
        {
          id: 'code',
          prompt: 'With which QUIC error code is it carried in the CONNECTION_CLOSE frame?',
          placeholder: 'hexadecimal, such as 0x1ff',
        },
      ],
      hints: [
        'The alerts and their numbers are in RFC 8446 §6.2. Which of them says: I do not know who signed this?',
        'QUIC reserves the error codes 0x0100 to 0x01ff for TLS alerts (RFC 9000 §20.1). The number of the alert is in the last byte. 48 is 0x30.',
        'To mend it, compare `tls.ca` with the one in `client.toml`. `insecure = true` is not mending.',
      ],
      reading: [
        'RFC 8446 §6.2 Error Alerts',
        'RFC 9001 §4.8 Cryptographic Handshake Errors',
        'src/tls/alert.ts',
        'src/quic/tls-alerts.ts',
      ],
    },
    {
      id: 'api',
      title: 'End a tunnel, if you may',
      kind: 'question',
      points: 10,
      files: ['answers.toml'],
      brief: `
        The REST API shows what the proxy does, and it can end a tunnel. With the server and a client running, look at your tunnel:

        \`\`\`
        curl http://${API}/api/v1/clients
        \`\`\`

        Its \`id\` has a slash in it; write a dash for that, and ask for this client alone. Then try to end its tunnel:

        \`\`\`
        curl -i http://${API}/api/v1/clients/ID
        curl -i -X DELETE http://${API}/api/v1/clients/ID
        \`\`\`

        What is refused comes as a _problem document_ (RFC 9457): a program reads \`status\`, a person \`detail\`. Your server wants a token, and knows none yet. Make
        one; its SHA-256 goes into \`server.toml\`, as \`token_sha256\` below \`[api]\`. Start the server and the client again (your tunnel has another ID then), and try a wrong token, then yours:

        \`\`\`
        TOKEN=$(openssl rand -hex 16); echo $TOKEN
        printf %s "$TOKEN" | openssl dgst -sha256
        curl -i -X DELETE -H "Authorization: Bearer $TOKEN" \\
          http://${API}/api/v1/clients/ID
        \`\`\`

        The client comes back at once, with a tunnel of another ID. **Predict the status codes before you ask.** The check asks a server of its own, with a token of its own.
      `,
      questions: [
        {
          id: 'open',
          prompt: 'No token is configured at the server. With which status code is DELETE answered?',
          prediction: true,
          placeholder: 'three digits',
        },
        {
          id: 'wrong',
          prompt: 'A token is configured, and another one is sent. Which status code?',
          prediction: true,
          placeholder: 'three digits',
        },
        {
          id: 'ended',
          prompt: 'The right token is sent, and the tunnel is ended. Which status code?',
          prediction: true,
          placeholder: 'three digits',
        },
        {
          id: 'after',
          prompt: 'A moment later somebody asks for this client (GET, with the same ID). Which status code?',
          prediction: true,
          placeholder: 'three digits',
        },
      ],
      hints: [
        'RFC 9110 §15.5 has the codes that begin with 4. What is the difference between 401 and 403: would other credentials help?',
        'There are several codes for success, too (RFC 9110 §15.3). One says that there is nothing to show.',
        '`curl -i` shows the status code in the first line of the answer. docs/api.md has a table of them for each path.',
      ],
      reading: [
        'docs/api.md, DELETE /api/v1/clients/{id}',
        'RFC 9110 §15.3 Successful 2xx, §15.5 Client Error 4xx',
        'RFC 9457 §3 The Problem Details JSON Object',
      ],
    },
    {
      id: 'scrape',
      title: 'Let Prometheus ask your proxy',
      kind: 'config',
      points: 15,
      files: ['prometheus.yml', 'server.toml'],
      brief: `
        Prometheus collects figures by asking for them. Every few seconds it fetches a page from each of its **targets** (a _scrape_), and keeps what
        stands there with the time: one line is one series. Your proxy has such a page. With your server running:

        \`\`\`
        curl http://${API}/metrics
        \`\`\`

        Whom Prometheus asks is in its configuration, in YAML. \`prometheus.yml\` is an attempt at that. **Four things in it are wrong.** Find and mend
        them, so that

        - your proxy is a target, where \`server.toml\` says under \`[api]\` that it can be asked;
        - it is asked for its metrics every 15 seconds or more often, but not more than once a second;
        - all its series have the label \`site\` with the value \`classroom\`, in queries to this Prometheus, too.

        \`static_configs\` are all that you need: no discovery, no relabelling. Other targets may be there; the check does not ask them. The check starts a server of its own from
        \`server.toml\`, reads your file, and scrapes that server as your file says, on another port. Where \`promtool\` and \`prometheus\` are installed, they try the file, too.
        Then you can see it yourself, at http://${PROMETHEUS} (all on one line):

        \`\`\`
        prometheus --config.file=labs/lab-01-deploy/exercises/prometheus.yml
            --storage.tsdb.path=$HOME/.cache/masque-lab/prometheus
            --web.listen-address=${PROMETHEUS}
        \`\`\`
      `,
      hints: [
        'Prometheus puts together what it asks for from three keys: `scheme`, an entry of `targets`, `metrics_path`. Two of them have a value of their own when you leave them out. Which of the three is a URL?',
        'The proxy has two ports. On which of them does it speak HTTP over TCP, so that `curl` can ask it?',
        '`external_labels` are added to what leaves this Prometheus, such as alerts. Labels of the series of a target are written beside its `targets`: `labels:`, with the same indentation.',
        `The four: a \`scrape_interval\` such as \`5s\`; no \`metrics_path\`, or \`/metrics\`; the target \`${API}\`, if you have not changed the port in \`server.toml\`; and \`labels:\` with \`site: classroom\` below it.`,
      ],
      reading: [
        'docs/monitoring.md, up to "Metrics"',
        'monitoring/prometheus.yml: the same for config/server.local.toml',
        'prometheus.io/docs, Configuration, <scrape_config>',
      ],
      timeoutMs: 180_000,
    },
    {
      id: 'interfaces',
      title: 'Real interfaces, real programs',
      kind: 'question',
      points: 0,
      optional: true,
      mutants: true,
      files: ['answers.toml', 'measured.toml'],
      brief: `
        So far both ends of the tunnel were hosts inside of our processes. Here the **operating system** uses it, over a TUN device. This needs
        Linux with namespaces for users; where that is missing, the check says so in one line, and you have lost nothing.

        \`\`\`
        client                          proxy                           web server
        192.0.2.2  c0 ------------- p0  192.0.2.1   198.51.100.1 ------ 198.51.100.2
                   masque0 == tunnel == masque0
        \`\`\`

        The proxy machine hides its clients behind its own address (NAT). This opens a shell on the client, without root, and takes everything away when you leave it:

        \`\`\`
        npm run testbed
        \`\`\`

        **Predict the TTL first.** Then look around: \`ip addr\`, \`ip route\`, \`ping 198.51.100.2\`, \`curl http://198.51.100.2/\`, and, where it is
        installed, \`tcpdump -ni c0\` beside \`tcpdump -ni masque0\`. One command does it, too:

        \`\`\`
        npm run testbed -- --run 'ping -c 3 -M do -s 1000 198.51.100.2'
        \`\`\`

        The check makes such a network itself, measures in it, tries your numbers there, and keeps what it has found in \`measured.toml\`.
      `,
      questions: [
        {
          id: 'ttl',
          prompt: 'The web server answers pings with TTL 64. Which TTL does `ping` on the client show?',
          prediction: true,
          placeholder: 'a number',
        },
        {
          id: 'largest',
          prompt:
            'Which is the largest N for which `ping -M do -s N 198.51.100.2` is answered? (`-M do`: in one piece, or not at all)',
          placeholder: 'a number',
        },
        {
          id: 'sees',
          prompt: 'Which address does the web server see when the client asks it for a page?',
          placeholder: 'a, b, c or d',
          choices: {
            a: '192.0.2.2, of the client on its cable',
            b: '10.89.0.2, which the proxy assigned to the client',
            c: '198.51.100.1, of the proxy',
            d: "192.0.2.1, at which the client's packets arrive",
          },
        },
        {
          id: 'cable',
          prompt: 'While a page is fetched through the tunnel, what does `tcpdump -ni c0` show?',
          placeholder: 'a, b, c or d',
          choices: {
            a: 'UDP between 192.0.2.2 and 192.0.2.1, and nothing of the page.',
            b: 'TCP between 10.89.0.2 and 198.51.100.2, as on masque0.',
            c: 'Nothing at all: the packets leave the machine through masque0.',
            d: 'UDP, in which tcpdump finds the TCP packets to 198.51.100.2.',
          },
        },
      ],
      hints: [
        'ttl: two things on the way forward the answer. One is the process of the proxy, as in task 5. Through what has the packet come before it gets there?',
        'ttl: the kernel of the proxy machine is a router between its two interfaces, and routers take one hop each.',
        'largest: `ip link show masque0` has the MTU: what fits is a whole IP packet. How much of it is not data of the ping?',
        'cable: what is in masque0 is what programs send. What our client makes of it leaves through c0, encrypted.',
      ],
      reading: ['docs/tun.md', 'RFC 9484 §8.1', ROUTING],
      timeoutMs: 180_000,
    },
  ],
})
