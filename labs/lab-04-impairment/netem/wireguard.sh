#!/usr/bin/env bash
#
# The same link, once with CONNECT-IP and once with WireGuard. See ../wireguard.ts.
#
#   masque-wg-client            masque-wg-link              masque-wg-server
#   masque-wgc 10.91.0.2        link emulator               masque-wgs 10.91.0.1
#        wireguard-go           198.18.40.2:51820                wireguard-go
#   198.18.40.1 --------------- 198.18.41.2 --------------- 198.18.41.1:51820
#
# Three network namespaces and two pairs of veth; all of it goes away with `down`, also what an earlier run left behind. Needs root.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

NAMESPACES=(masque-wg-client masque-wg-link masque-wg-server)

usage() {
  cat <<'USAGE'
usage: wireguard.sh [PROFILE] [--svg FILE]   measure both, side by side (default: lte)
       wireguard.sh up                       namespaces, devices, both ends of the WireGuard tunnel
       wireguard.sh down                     remove them, and what runs inside
       wireguard.sh status                   what is there
       wireguard.sh check                    can this work here? says what is missing
USAGE
}

# One line that says what is missing.
check() {
  local missing=()
  [[ $(uname -s) == Linux ]] || missing+=("Linux")
  for command in wireguard-go wg ip; do command -v "$command" >/dev/null || missing+=("the command $command"); done
  [[ -c /dev/net/tun ]] || missing+=("/dev/net/tun")
  ((EUID == 0)) || missing+=("root, for network namespaces")
  ((${#missing[@]} == 0)) && return
  local list
  list=$(printf ', %s' "${missing[@]}")
  printf 'WireGuard cannot be measured here; missing: %s\n' "${list:2}" >&2
  return 3
}

inside() { ip netns exec "$@"; }

up() {
  check
  down
  trap 'down' ERR
  local name
  for name in "${NAMESPACES[@]}"; do
    ip netns add "$name"
    inside "$name" ip link set lo up
  done
  ip link add masque-wg0 netns masque-wg-client type veth peer name masque-wg1 netns masque-wg-link
  ip link add masque-wg2 netns masque-wg-link type veth peer name masque-wg3 netns masque-wg-server
  address masque-wg-client masque-wg0 198.18.40.1/30
  address masque-wg-link masque-wg1 198.18.40.2/30
  address masque-wg-link masque-wg2 198.18.41.2/30
  address masque-wg-server masque-wg3 198.18.41.1/30

  # Keys of this run only; they never touch the disk.
  local client_key server_key
  client_key=$(wg genkey)
  server_key=$(wg genkey)
  end masque-wg-client masque-wgc 10.91.0.2/24 <<CONFIG
[Interface]
PrivateKey = $client_key
[Peer]
PublicKey = $(wg pubkey <<<"$server_key")
AllowedIPs = 10.91.0.1/32
Endpoint = 198.18.40.2:51820
CONFIG
  end masque-wg-server masque-wgs 10.91.0.1/24 <<CONFIG
[Interface]
PrivateKey = $server_key
ListenPort = 51820
[Peer]
PublicKey = $(wg pubkey <<<"$client_key")
AllowedIPs = 10.91.0.2/32
CONFIG
  trap - ERR
}

# address NAMESPACE DEVICE ADDRESS
address() {
  inside "$1" ip address add "$3" dev "$2"
  inside "$1" ip link set "$2" up
}

# end NAMESPACE DEVICE ADDRESS <CONFIG: one end of the WireGuard tunnel.
end() {
  local tries config
  config=$(cat)
  # In the foreground of a job of ours: it must not make further processes of itself.
  inside "$1" wireguard-go -f "$2" </dev/null >/dev/null 2>&1 &
  for ((tries = 0; tries < 100; tries++)); do
    [[ -S /run/wireguard/$2.sock ]] && break
    sleep 0.1
  done
  inside "$1" wg setconf "$2" /dev/stdin <<<"$config"
  inside "$1" ip address add "$3" dev "$2"
  inside "$1" ip link set "$2" mtu 1420 up
}

# Only what is in our namespaces: nobody else's WireGuard.
down() {
  local name pid tries
  for name in "${NAMESPACES[@]}"; do
    [[ -e /run/netns/$name ]] || continue
    for pid in $(ip netns pids "$name"); do kill "$pid" 2>/dev/null || true; done
    for tries in 1 2 3 4 5 6 7 8 9 10; do
      [[ -z $(ip netns pids "$name") ]] && break
      ((tries < 10)) || for pid in $(ip netns pids "$name"); do kill -9 "$pid" 2>/dev/null || true; done
      sleep 0.1
    done
    ip netns delete "$name"
  done
  rm -f /run/wireguard/masque-wgc.sock /run/wireguard/masque-wgs.sock
}

status() {
  local name found=0
  for name in "${NAMESPACES[@]}"; do
    [[ -e /run/netns/$name ]] || continue
    found=1
    printf '%s: processes %s\n' "$name" "$(ip netns pids "$name" | tr '\n' ' ')"
  done
  ((found)) || echo 'nothing is there'
}

case ${1:-} in
up | down | status | check) "$1" ;;
-h | --help) usage ;;
*)
  check
  cd "$here/../../.."
  # Whatever becomes of the measurement, what was made is removed. In the background: so that a signal is obeyed at once.
  trap 'exit 130' INT TERM HUP
  node --import tsx "$here/../wireguard.ts" "$@" &
  measurement=$!
  trap 'kill "$measurement" 2>/dev/null || true; down' EXIT
  wait "$measurement"
  ;;
esac
