"""A case is data: what is sent, which section of which RFC speaks of it, what is right. Its function does it."""

from collections.abc import Callable
from dataclasses import dataclass, field


class Mismatch(Exception):
    """The other side did something else than it should."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f'expected {expected}; found {found}')
        self.expected = expected
        self.found = found


def expect(what: str, found: object, expected: object) -> None:
    """Fails when `found` is not `expected`."""
    if found != expected:
        raise Mismatch(f'{what}: {expected!r}', repr(found))


@dataclass(frozen=True)
class Case:
    name: str
    """Begins with the ids of the rows in docs/conformance.md that it shows."""
    source: str
    """Where the rule stands, such as 'RFC 9484 §4.7.1'."""
    sends: str
    expects: str
    run: Callable
    ours: dict = field(default_factory=dict)
    """For the harness: how masque-lab's side is to be set up, and what it is to do (interop/README.md)."""
    known_fault: str | None = None
    """Set when the peer, not masque-lab, is known to get this wrong: the case must then fail."""


CLIENT_CASES: list[Case] = []
PROXY_CASES: list[Case] = []


def client_case(name: str, *, source: str, sends: str, expects: str, ours: dict | None = None, known_fault: str | None = None):
    """Registers a function of one argument, the `Target`: this program is the client, masque-lab the proxy."""
    return _register(CLIENT_CASES, name, source, sends, expects, ours, known_fault)


def proxy_case(name: str, *, source: str, sends: str, expects: str, ours: dict | None = None, known_fault: str | None = None):
    """Registers a function of one argument, the `Listener`: this program is the proxy, masque-lab the client."""
    return _register(PROXY_CASES, name, source, sends, expects, ours, known_fault)


def _register(cases: list[Case], name: str, source: str, sends: str, expects: str, ours: dict | None, known_fault: str | None):
    if any(case.name == name for case in cases):
        raise ValueError(f'two cases are called "{name}"')

    def register(run: Callable) -> Callable:
        cases.append(Case(name, source, sends, expects, run, ours or {}, known_fault))
        return run

    return register
