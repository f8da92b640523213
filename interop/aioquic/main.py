"""aioquic as client and as proxy, for `npm run test:interop`."""

import client_cases
import proxy_cases
from conversation import converse
from listener import Listener
from target import Target

client_cases.load()
proxy_cases.load()
converse(Target, Listener)
