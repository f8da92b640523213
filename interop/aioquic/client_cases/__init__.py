"""This program as the client, masque-lab as the proxy. One file a concern; importing it registers its cases."""

from importlib import import_module

CONCERNS = ['basics', 'settings', 'fields', 'requests', 'capsules', 'datagrams', 'forwarding', 'transport']


def load() -> None:
    for name in CONCERNS:
        import_module(f'{__name__}.{name}')
