#!/usr/bin/env bash
#
# Impairs the link between the client and the server of topology.sh as a profile says, with the kernel's netem:
#
#     apply.sh PROFILE [--once|--timeline] [--dry-run] [--resolution MS]
#
# The profile is read, and the commands are made, by the same code that drives the emulator: src/link/.

set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=netem/lib.sh
source "$here/lib.sh"
need node nodejs
exec node "$here/../bin/masque-lab.mjs" netem-kernel apply "$@"
