#!/usr/bin/env bash
#
# Takes every impairment from the link of topology.sh. The namespaces stay: topology.sh down removes them.

set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=netem/lib.sh
source "$here/lib.sh"
need node nodejs
exec node "$here/../bin/masque-lab.mjs" netem-kernel clear "$@"
