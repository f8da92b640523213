"""curl with ngtcp2 and nghttp3: plain requests to masque-lab's proxy, over HTTP/3 and nothing else."""

import asyncio

from cases import Mismatch, client_case, expect
from conversation import converse
from curl_cffi import AsyncSession, CurlHttpVersion, CurlInfo, CurlOpt, Response, Session
from curl_cffi.requests.exceptions import RequestException

HTTP3 = int(CurlHttpVersion.V3)
TIMEOUT_SECONDS = 5


class Target:
    """masque-lab's proxy as a web server."""

    def __init__(self, port: int, ca: str, token: str | None = None) -> None:
        self.url = f'https://127.0.0.1:{port}'
        self.port = port
        self.session = Session(**options(ca))
        self.ca = ca
        self.lines: list[str] = []

    def ask(self, method: str, path: str = '/', session: Session | None = None, **more) -> Response:
        self.lines.append(f'{method} {path} {str(more)[:200]}')
        try:
            response = (session or self.session).request(method, self.url + path, **more)
        except RequestException as error:
            self.lines.append(f'  {error}')
            raise Mismatch('an answer', str(error)) from error
        self.lines.append(f'  {response.status_code} {dict(response.headers)} {len(response.content)} bytes')
        expect('the version of HTTP', response.http_version, HTTP3)
        return response

    def finish(self) -> None: ...

    def log(self) -> list[str]:
        return self.lines

    def close(self) -> None:
        self.session.close()


def options(ca: str) -> dict:
    # Loopback only: whatever web proxy the environment names is not asked.
    return {
        'http_version': CurlHttpVersion.V3ONLY,
        'verify': ca,
        'timeout': TIMEOUT_SECONDS,
        'trust_env': False,
        'allow_redirects': False,
        'curl_infos': [CurlInfo.NUM_CONNECTS],
    }


@client_case(
    'H3-08 gets a small page for GET',
    source='RFC 9114 §4.1',
    sends='GET /',
    expects='200 with content of the announced length',
)
def get(target: Target):
    response = target.ask('GET')
    expect('the status', response.status_code, 200)
    expect('Content-Length', response.headers['content-length'], str(len(response.content)))


@client_case(
    'H3-08 says 404 for a page that does not exist',
    source='RFC 9110 §15.5.5',
    sends='GET /nothing, with a query',
    expects='404',
)
def not_found(target: Target):
    expect('the status', target.ask('GET', '/nothing?a=b').status_code, 404)


@client_case(
    'H3-08 answers HEAD with the length of what it leaves out',
    source='RFC 9110 §9.3.2',
    sends='HEAD /',
    expects='200, Content-Length as for GET, no content',
)
def head(target: Target):
    length = target.ask('GET').headers['content-length']
    response = target.ask('HEAD')
    found = (response.status_code, response.headers['content-length'], response.content)
    expect('the answer', found, (200, length, b''))


for size in (0, 1, 20_000, 300_000):

    @client_case(
        f'H3-08 says 405 for POST of {size} bytes',
        source='RFC 9110 §15.5.6, RFC 9114 §4.1',
        sends=f'POST with {size} bytes',
        expects='405 with Allow; the next request of the connection is answered',
    )
    def post(target: Target, size=size):
        response = target.ask('POST', data=b'x' * size)
        expect('the status', response.status_code, 405)
        expect('Allow is there', 'allow' in response.headers, True)
        expect('the next status', target.ask('GET').status_code, 200)


for method in ('PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH'):

    @client_case(
        f'H3-08 answers {method} with a status of its own, not with silence',
        source='RFC 9110 §9.1, §15.5.6, §15.6.2',
        sends=f'{method} /',
        expects='405 or 501',
    )
    def other_method(target: Target, method=method):
        status = target.ask(method).status_code
        expect(f'{status} is 405 or 501', status in (405, 501), True)


@client_case(
    'H3-04 takes a header field of 8000 bytes, and a hundred small ones',
    source='RFC 9114 §4.2.2',
    sends='GET with large and with many fields, compressed as nghttp3 likes',
    expects='200',
)
def large_fields(target: Target):
    expect('the status', target.ask('GET', headers={'x-large': 'v' * 8000}).status_code, 200)
    expect('the status', target.ask('GET', headers={f'x-{i}': 'value' * 8 for i in range(100)}).status_code, 200)


@client_case(
    'H3-04 refuses a header field of 40 000 bytes, and no more than that request',
    source='RFC 9114 §4.2.2',
    sends='GET with a field that is larger than SETTINGS_MAX_FIELD_SECTION_SIZE, then GET',
    expects='431, or an error of the stream; then 200',
)
def too_large_fields(target: Target):
    try:
        expect('the status', target.ask('GET', headers={'x-large': 'v' * 40_000}).status_code, 431)
    except Mismatch as mismatch:
        if mismatch.expected != 'an answer':
            raise
    expect('the status', target.ask('GET').status_code, 200)


@client_case(
    'H3-04 answers the same fields again and again, which the client may want to put into the dynamic table',
    source='RFC 9204 §2.1',
    sends='50 times GET with the same fields, on one connection',
    expects='50 times 200, on one connection',
)
def again(target: Target):
    fields = {'x-token': 'a' * 50, 'user-agent': 'the interop tests of masque-lab', 'cookie': 'a=b; c=d'}
    connections = 0
    for _ in range(50):
        response = target.ask('GET', headers=fields)
        expect('the status', response.status_code, 200)
        connections += response.infos[CurlInfo.NUM_CONNECTS]
    expect('connections', connections, 1)


@client_case(
    'H3-08 answers many requests at once',
    source='RFC 9114 §4.1',
    sends='40 GETs at once',
    expects='40 times 200',
)
def at_once(target: Target):
    async def ask() -> list[int]:
        async with AsyncSession(max_clients=40, **options(target.ca)) as session:
            answers = await asyncio.gather(*[session.get(f'{target.url}/?{i}') for i in range(40)])
            return [answer.status_code for answer in answers]

    expect('statuses', asyncio.run(ask()), [200] * 40)


@client_case(
    'H3-09 says 421 to a request for another host',
    source='RFC 9110 §7.4',
    sends='GET with Host: proxy.example',
    expects='421',
)
def misdirected(target: Target):
    expect('the status', target.ask('GET', headers={'host': 'proxy.example'}).status_code, 421)


@client_case(
    'H3-09 answers for localhost as for 127.0.0.1',
    source='RFC 9110 §7.4',
    sends='GET https://localhost, at 127.0.0.1',
    expects='200',
)
def by_name(target: Target):
    resolve = {CurlOpt.RESOLVE: [f'localhost:{target.port}:127.0.0.1']}
    with Session(curl_options=resolve, **options(target.ca)) as session:
        target.url = target.url.replace('127.0.0.1', 'localhost')
        expect('the status', target.ask('GET', session=session).status_code, 200)


@client_case(
    'accepts a client that it makes prove its address first',
    source='RFC 9000 §8.1.2',
    sends='the token of the Retry packet',
    expects='200',
    ours={'proxy': 'retry'},
)
def retry(target: Target):
    expect('the status', target.ask('GET').status_code, 200)


@client_case(
    'is not trusted by a client that knows another authority',
    source='RFC 9114 §3.1',
    sends='the handshake, with the system’s authorities',
    expects='no answer, an error about the certificate',
)
def not_trusted(target: Target):
    with Session(**(options(target.ca) | {'verify': True})) as session:
        try:
            target.ask('GET', session=session)
        except Mismatch as mismatch:
            found = mismatch.found.lower()
            expect(f'"{found}" speaks of the certificate', 'certificate' in found or 'ssl' in found or 'quic' in found, True)
            return
    raise Mismatch('an error', 'an answer')


NO_TRANSPORT_PARAMETERS = (
    'curl_cffi 0.17.0, when it greets as Firefox does, leaves the QUIC transport parameters out (RFC 9001 §8.2), and no server can take that'
)

for browser, fault in [('chrome', None), ('firefox', NO_TRANSPORT_PARAMETERS), ('safari', None)]:

    @client_case(
        f'H3-02 answers a client that greets as {browser} does',
        source='RFC 9114 §7.2.4.1, §9, RFC 8701',
        sends=f'the ClientHello, transport parameters and SETTINGS of {browser}, grease among them',
        expects='200',
        known_fault=fault,
    )
    def browser_greeting(target: Target, browser=browser):
        with Session(impersonate=browser, **options(target.ca)) as session:
            expect('the status', target.ask('GET', session=session).status_code, 200)


converse(Target)
