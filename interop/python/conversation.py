"""The conversation with `npm run test:interop`: one JSON command a line on standard input, one JSON answer a line.

{"list": true}                                            → {"cases": [...]}
{"run": NAME, "port": PORT, "ca": FILE, "token": TOKEN, "engine": ENGINE}   → {"ok": true} or {"ok": false, "expected", "found", "log"}
{"serve": NAME, "certificate": FILE, "key": FILE}         → {"listening": PORT}, and then as above
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Protocol

from cases import CLIENT_CASES, PROXY_CASES, Case, Mismatch


class Subject(Protocol):
    """What a case is run with."""

    def finish(self) -> None:
        """Called after a case that found nothing wrong; raises Mismatch for what shows at the end only."""

    def log(self) -> list[str]:
        """What has happened, for a failure."""

    def close(self) -> None: ...


class Listening(Subject, Protocol):
    port: int


def converse(
    make_client: Callable[[int, str, str | None], Subject], make_proxy: Callable[[str, str], Listening] | None = None
) -> None:
    """Runs what is asked for until the input ends. `make_client` takes port, CA and token; `make_proxy` certificate and key."""
    for line in sys.stdin:
        command = json.loads(line)
        if 'list' in command:
            listed = [describe(case, 'client') for case in CLIENT_CASES] + [describe(case, 'proxy') for case in PROXY_CASES]
            answer({'cases': listed})
        elif 'run' in command:
            # What a case expects may depend on it.
            os.environ['MASQUE_QUIC'] = command['engine']
            subject = make_client(command['port'], command['ca'], command.get('token'))
            answer(judged(find(CLIENT_CASES, command['run']), subject))
        elif 'serve' in command and make_proxy is not None:
            listener = make_proxy(command['certificate'], command['key'])
            answer({'listening': listener.port})
            answer(judged(find(PROXY_CASES, command['serve']), listener))


def describe(case: Case, role: str) -> dict:
    return {
        'role': role,
        'name': case.name,
        'source': case.source,
        'sends': case.sends,
        'expects': case.expects,
        'ours': case.ours,
        'knownFault': case.known_fault,
    }


def find(cases: list[Case], name: str) -> Case:
    return next(case for case in cases if case.name == name)


def judged(case: Case, subject: Subject) -> dict:
    """Runs a case; whatever goes wrong becomes the answer."""
    try:
        case.run(subject)
        subject.finish()
        return {'ok': True}
    except Mismatch as mismatch:
        return {'ok': False, 'expected': mismatch.expected, 'found': mismatch.found, 'log': subject.log()}
    except Exception:
        return {'ok': False, 'expected': case.expects, 'found': traceback.format_exc(limit=-3), 'log': subject.log()}
    finally:
        subject.close()


def answer(message: dict) -> None:
    print(json.dumps(message), flush=True)
