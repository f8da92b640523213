#!/usr/bin/env bash
# Gradescope runs this once, while it builds the image. The archive that is uploaded holds setup.sh, run_autograder, masque-lab/ (a checkout) and,
# if there is one, course.toml.
set -euo pipefail

version=v22.12.0
file=node-$version-linux-x64.tar.xz
apt-get update
apt-get install -y --no-install-recommends curl ca-certificates xz-utils openssl
cd /tmp
curl -fsSLO "https://nodejs.org/dist/$version/$file"
curl -fsSL "https://nodejs.org/dist/$version/SHASUMS256.txt" | grep " $file\$" | sha256sum --check
tar -xJf "$file" -C /usr/local --strip-components=1
rm "$file"

cd /autograder/source/masque-lab
npm ci --omit=dev
