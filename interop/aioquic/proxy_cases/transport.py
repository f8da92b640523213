"""QUIC under the tunnel, with the client at the other end (RFC 9000, RFC 9001)."""

from cases import expect, proxy_case
from connection import accept
from listener import CLIENT_V4, GATEWAY_V4, Listener


@proxy_case(
    'proves its address after a Retry',
    source='RFC 9000 §8.1.2',
    sends='Retry',
    expects='the token in the next Initial, and a tunnel that works',
)
def retry(listener: Listener):
    listener.tunnel(retry=True)


@proxy_case(
    'Q-02 says that a server without h3 speaks something else',
    source='RFC 9001 §8.1',
    sends='a handshake for ALPN foo only: no_application_protocol',
    expects='an error about the protocol, not about trust',
    ours={'steps': [['connect fails', '(?=.*(ALPN|HTTP/3|h3))(?!.*trust)']]},
)
def alpn(listener: Listener):
    connection = accept(listener.socket, listener.certificate, listener.key, alpn_protocols=['foo'])
    listener.connections.append(connection)
    connection.pump(lambda: connection.closed, 5)
    expect('the handshake is done', connection.established, False)
    expect('what aioquic says', str(connection.complaint)[:5], '0x178')
    connection.complaint = None  # it is what this case is about


@proxy_case(
    'goes on after key updates from the proxy',
    source='RFC 9001 §6',
    sends='four key updates, with a ping behind each',
    expects='replies to all of them, and pings that go on',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '^tunnel']]},
)
def key_update(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    for _ in range(4):
        tunnel.connection.quic.request_key_update()
        tunnel.ping(CLIENT_V4, source=GATEWAY_V4)
        tunnel.connection.ping()
    tunnel.send(b'', end=True)


@proxy_case(
    'Q-03 goes on when the proxy changes its connection ids',
    source='RFC 9000 §5.1.2',
    sends='three times another connection id of the client’s, with a ping behind each',
    expects='replies to all of them',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', '^tunnel']]},
)
def connection_ids(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    for _ in range(3):
        tunnel.connection.change_id()
        tunnel.ping(CLIENT_V4, source=GATEWAY_V4)
        tunnel.connection.ping()
    tunnel.send(b'', end=True)


@proxy_case(
    'waits for the credit of a proxy with small windows',
    source='RFC 9000 §4',
    sends='windows of 700 bytes a connection and 100 bytes a stream',
    expects='a tunnel that works',
)
def small_windows(listener: Listener):
    listener.tunnel(max_data=700, max_stream_data=100)


for length in (4, 20):

    @proxy_case(
        f'speaks with a proxy whose connection ids have {length} bytes',
        source='RFC 9000 §17.2',
        sends=f'connection ids of {length} bytes',
        expects='a tunnel that works',
    )
    def id_length(listener: Listener, length=length):
        listener.tunnel(connection_id_length=length)
