#!/usr/bin/env bash
# Does the link of task 4 do what its profile says: delay, jitter, rate, and a queue of 0.4 s? By the emulator's own check; needs nothing.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../../.."
exec node bin/masque-lab.mjs netem check lte-bloat "$@"
