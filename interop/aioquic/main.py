"""Runs cases for `npm run test:interop`: one JSON command a line on standard input, one JSON answer a line.

{"list": true}                                            → {"cases": [...]}
{"run": NAME, "port": PORT, "ca": FILE, "token": TOKEN}   → {"ok": true} or {"ok": false, "expected", "found", "log"}
{"serve": NAME, "certificate": FILE, "key": FILE}         → {"listening": PORT}, and then as above
"""

import json
import sys
import traceback

import client_cases
import proxy_cases
from cases import CLIENT_CASES, PROXY_CASES, Case, Mismatch
from connection import Connection
from listener import Listener
from target import Target

client_cases.load()
proxy_cases.load()


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


def judged(case: Case, subject: Target | Listener) -> dict:
    """Runs a case; whatever goes wrong becomes the answer."""
    try:
        case.run(subject)
        if isinstance(subject, Listener):
            subject.wait_until_left()
        for each in subject.connections:
            if each.complaint is not None:
                raise Mismatch('nothing that aioquic complains of', each.complaint)
        return {'ok': True}
    except Mismatch as mismatch:
        return failure(mismatch.expected, mismatch.found, subject.connections)
    except Exception:
        return failure(case.expects, traceback.format_exc(limit=-3), subject.connections)
    finally:
        subject.close()


def failure(expected: str, found: str, connections: list[Connection]) -> dict:
    return {'ok': False, 'expected': expected, 'found': found, 'log': [line for each in connections for line in each.log]}


def answer(message: dict) -> None:
    print(json.dumps(message), flush=True)


for line in sys.stdin:
    command = json.loads(line)
    if 'list' in command:
        listed = [describe(case, 'client') for case in CLIENT_CASES] + [describe(case, 'proxy') for case in PROXY_CASES]
        answer({'cases': listed})
    elif 'run' in command:
        answer(judged(find(CLIENT_CASES, command['run']), Target(command['port'], command['ca'], command.get('token'))))
    elif 'serve' in command:
        listener = Listener(command['certificate'], command['key'])
        answer({'listening': listener.port})
        answer(judged(find(PROXY_CASES, command['serve']), listener))
