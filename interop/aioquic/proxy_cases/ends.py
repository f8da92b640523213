"""How a tunnel ends: in order, by GOAWAY, by force (RFC 9114 §5, RFC 9484 §4.1)."""

import wire
from cases import expect, proxy_case
from listener import GATEWAY_V4, Listener

LEAVES = {'steps': [['connect'], ['ping', GATEWAY_V4], ['close']]}


@proxy_case(
    'CIP-11 leaves in order: FIN on the request stream, then H3_NO_ERROR',
    source='RFC 9484 §4.1, RFC 9114 §5.2',
    sends='FIN in return',
    expects='FIN, CONNECTION_CLOSE with H3_NO_ERROR',
    ours=LEAVES,
)
def leaves(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.connection.wait_for('FIN', lambda: tunnel.stream_id in tunnel.connection.ended, 8)
    tunnel.send(b'', end=True)
    listener.wait_until_left()
    expect('the code', tunnel.connection.closed.error_code, wire.H3_NO_ERROR)
    expect('resets', tunnel.connection.resets, {})


@proxy_case(
    'H3-06 says GOAWAY before it leaves',
    source='RFC 9114 §5.2: SHOULD',
    sends='FIN in return',
    expects='GOAWAY on the control stream',
    ours=LEAVES,
)
def goaway(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.connection.wait_for('FIN', lambda: tunnel.stream_id in tunnel.connection.ended, 8)
    tunnel.send(b'', end=True)
    listener.wait_until_left()
    expect('GOAWAY was sent', wire.GOAWAY in [type_ for type_, _ in tunnel.connection.control_frames()], True)


@proxy_case(
    'H3-06 keeps its tunnel after GOAWAY until the proxy ends it',
    source='RFC 9114 §5.2',
    sends='GOAWAY, answers to pings, FIN',
    expects='pings that go on, then an orderly end that it reports',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['ping', GATEWAY_V4], ['is lost', 'closed the tunnel']]},
)
def goaway_of_proxy(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.connection.send_control(wire.frame(wire.GOAWAY, wire.varint(4)))
    tunnel.pump_pings(2)
    tunnel.send(b'', end=True)


for what, act in [
    ('RESET_STREAM', lambda tunnel: tunnel.connection.reset(tunnel.stream_id, 0x10B)),
    ('STOP_SENDING', lambda tunnel: tunnel.connection.stop(tunnel.stream_id, 0x10B)),
    ('CONNECTION_CLOSE', lambda tunnel: tunnel.connection.leave(0x10B)),
]:

    @proxy_case(
        f'CIP-11 reports why its tunnel ends by {what}',
        source='RFC 9114 §8.1',
        sends=f'{what} with H3_REQUEST_REJECTED',
        expects='an error that names the code',
        ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'H3_REQUEST_REJECTED']]},
    )
    def by_force(listener: Listener, act=act):
        tunnel = listener.tunnel()
        tunnel.pump_pings()
        tunnel.connection.pump(lambda: False, 0.1)
        act(tunnel)


@proxy_case(
    'CIP-11 reports the words with which the proxy closes the connection',
    source='RFC 9000 §19.19',
    sends='CONNECTION_CLOSE with H3_NO_ERROR and the words "gone for lunch"',
    expects='an error with these words',
    ours={'steps': [['connect'], ['ping', GATEWAY_V4], ['is lost', 'gone for lunch']]},
)
def closing_words(listener: Listener):
    tunnel = listener.tunnel()
    tunnel.pump_pings()
    tunnel.connection.pump(lambda: False, 0.1)
    tunnel.connection.leave(wire.H3_NO_ERROR, 'gone for lunch')
