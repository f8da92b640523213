#!/usr/bin/env bash
# Impairs a link and checks what comes through; check.ts beside this says what. --help lists the options.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
exec node --import tsx "$here/check.ts" "$@"
