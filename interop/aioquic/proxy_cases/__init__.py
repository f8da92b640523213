"""This program as the proxy, masque-lab as the client. One file a concern; importing it registers its cases."""

from importlib import import_module

CONCERNS = ['requests', 'capsules', 'packets', 'http3', 'transport', 'ends']


def load() -> None:
    for name in CONCERNS:
        import_module(f'{__name__}.{name}')
