"""The shortest way through: a page, a tunnel, a ping."""

from cases import client_case, expect

GATEWAY_V4, GATEWAY_V6 = '10.89.0.1', 'fd00:89::1'
HOST_V4, HOST_V6 = '10.90.0.1', 'fd00:90::1'


@client_case(
    'H3-08 gets a small page for GET',
    source='RFC 9114 §4.1',
    sends='GET /',
    expects='200 with content of the announced length',
)
def get(target):
    response, content = target.get(target.connect())
    expect(':status', response[':status'], '200')
    expect('content-length', response['content-length'], str(len(content)))


@client_case(
    'CIP-06 CIP-19 opens a tunnel and gets addresses unprompted',
    source='RFC 9484 §4.5, §4.7.1',
    sends='Extended CONNECT for connect-ip',
    expects='200 with capsule-protocol, ADDRESS_ASSIGN with one address a family under id 0, ROUTE_ADVERTISEMENT',
)
def tunnel(target):
    opened = target.tunnel()
    expect('capsule-protocol', opened.connection.response(opened.stream_id).get('capsule-protocol'), '?1')
    expect('assigned', opened.wait_assigned(), [(0, '10.89.0.2/32'), (0, 'fd00:89::2/128')])
    expect(
        'routes',
        opened.wait_routes(),
        [
            ('10.89.0.0', '10.89.0.255', 0),
            (HOST_V4, HOST_V4, 0),
            ('fd00:89::', 'fd00:89::ffff:ffff:ffff:ffff', 0),
            (HOST_V6, HOST_V6, 0),
        ],
    )


for name, address, ttl in [
    ('the proxy itself over IPv4', GATEWAY_V4, 64),
    ('the proxy itself over IPv6', GATEWAY_V6, 64),
    ('a host behind the proxy over IPv4', HOST_V4, 63),
    ('a host behind the proxy over IPv6', HOST_V6, 63),
]:

    @client_case(
        f'CIP-29 pings {name}; the answers arrive with a TTL of {ttl}',
        source='RFC 9484 §7.2',
        sends='echo requests of 0 to 1232 bytes',
        expects=f'echo replies with the same bytes and a TTL of {ttl}',
    )
    def ping(target, address=address, ttl=ttl):
        tunnel = target.tunnel()
        for size in (0, 56, 512, 1000, 1232):
            expect('TTL', tunnel.ping(address, size)['ttl'], ttl)
