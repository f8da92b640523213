#!/usr/bin/env bash
#
# The network of the kernel backend: a client, a router for each of its two attachments, and a server, each in a network
# namespace of its own. README.md in this folder has the figure and the addresses.
#
# Without root everything is inside one user namespace that a holder process keeps; as root the namespaces are the
# machine's own. Either way `down` removes all of it, also what an earlier run left behind.

set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=netem/lib.sh
source "$here/lib.sh"

usage() {
  cat <<'USAGE'
usage: topology.sh up [--root|--rootless]   make the namespaces (default: --root for root, else --rootless)
       topology.sh down                     remove them and what runs inside, also what was left behind
       topology.sh status                   what is there; exit status 0: everything, 7: nothing or not all
       topology.sh check [--root|--rootless]  can the kernel backend work here? says what is missing; changes nothing
       topology.sh exec WHO -- COMMAND...   run a command there; WHO: client, router (= router0), router1, server
       topology.sh enter WHO                print the words that `exec` puts in front of a command, one a line
       topology.sh nat-rebind [--print] [0|1]  the router forgets its NAT mappings: the server sees another port
       topology.sh handover [--print] 0|1   the client sends over the other attachment from now on
                                            --print: only the lines for `ip -batch` in that router, or in the client
USAGE
}

# --- which mode --------------------------------------------------------------------------------------------------------

choose_mode() {
  case ${1:-} in
  --root) mode=root ;;
  --rootless) mode=rootless ;;
  '') if ((EUID == 0)); then mode=root; else mode=rootless; fi ;;
  *)
    usage >&2
    exit "$STATUS_USAGE"
    ;;
  esac
  if [[ $mode == root ]] && ((EUID != 0)); then
    fail "$STATUS_NO_RIGHT" "--root needs root, and you are $(id -un)" "Use sudo, or leave the option away: it works without root where the system allows it."
  fi
}

sysctl_is() {
  [[ -r $PROC_SYS/$1 && $(<"$PROC_SYS/$1") == "$2" ]]
}

# Why a user namespace could not be had; $1 is what unshare said.
explain_no_user_namespace() {
  local instead=("Or use root (sudo), or the emulator, which needs no rights: npm run netem -- run PROFILE ...")
  if sysctl_is kernel/apparmor_restrict_unprivileged_userns 1; then
    fail "$STATUS_APPARMOR" "AppArmor forbids user namespaces (kernel.apparmor_restrict_unprivileged_userns = 1, as on Ubuntu 24.04)" \
      "The administrator can allow them until the next start of the machine:" \
      "  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" "${instead[@]}"
  elif sysctl_is kernel/unprivileged_userns_clone 0; then
    fail "$STATUS_NO_RIGHT" "user namespaces are for root only here (kernel.unprivileged_userns_clone = 0)" \
      "The administrator can allow them: sudo sysctl kernel.unprivileged_userns_clone=1" "${instead[@]}"
  elif sysctl_is user/max_user_namespaces 0; then
    fail "$STATUS_NO_RIGHT" "user namespaces are switched off (user.max_user_namespaces = 0)" \
      "The administrator can allow them: sudo sysctl user.max_user_namespaces=10000" "${instead[@]}"
  fi
  fail "$STATUS_NO_RIGHT" "no user namespace can be made: ${1:-unknown reason}" \
    "Inside a container the container's own rules may forbid it." "${instead[@]}"
}

# --- up ----------------------------------------------------------------------------------------------------------------

# Everything below runs `ip` through this: in the holder's namespaces, or directly as root.
inside() {
  "${ENTER[@]}" "$@"
}

within() {
  local who=$1
  shift
  inside ip netns exec "$PREFIX-$who" "$@"
}

# What this `up` has made, to be taken back by it: what another one made is not its to remove.
made_holder=
made_namespaces=()

# The holder that the `unshare` with this process id has started.
holder_below() {
  local pid parent
  for pid in $(holders); do
    parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) || continue
    if [[ $parent == "$1" ]]; then
      printf '%s\n' "$pid"
      return
    fi
  done
}

start_holder() {
  local said pid tries namespaces=(--user --map-root-user --net --mount --pid --fork --kill-child)
  said=$(unshare "${namespaces[@]}" true 2>&1) || explain_no_user_namespace "$said"
  # The name appears when /run is ready: a private one, because `ip netns` and iptables keep files there.
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid unshare "${namespaces[@]}" bash -c '
    mount -t tmpfs tmpfs /run && mkdir /run/netns && exec -a "$1" sleep infinity' holder "$HOLDER" </dev/null >/dev/null 2>&1 9>&- &
  pid=$!
  for ((tries = 0; tries < 250; tries++)); do
    made_holder=$(holder_below "$pid")
    [[ -n $made_holder ]] && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.02
  done
  if [[ -z $made_holder ]]; then
    kill -KILL "$pid" 2>/dev/null || true
    explain_no_user_namespace "it may not mount a file system of its own on /run"
  fi
  disown "$pid"
}

# A veth pair between two namespaces; one large TCP segment would count as one packet for netem, so there are none.
# connect NAMESPACE DEVICE ADDRESS4 ADDRESS6  NAMESPACE DEVICE ADDRESS4 ADDRESS6
connect() {
  inside ip -n "$PREFIX-$1" link add "$2" type veth peer name "$6" netns "$PREFIX-$5"
  configure "$1" "$2" "$3" "$4"
  configure "$5" "$6" "$7" "$8"
}

configure() {
  local who=$PREFIX-$1 device=$2
  inside ip -n "$who" link set "$device" gso_max_segs 1
  inside ip -n "$who" link set "$device" up
  inside ip -n "$who" address add "$3/24" dev "$device"
  if $ipv6; then inside ip -n "$who" address add "$4/64" dev "$device" nodad; fi
}

# route NAMESPACE ARGUMENTS...: `ip route replace` for IPv4; route6 for IPv6, where the kernel has it.
route() {
  local who=$PREFIX-$1
  shift
  inside ip -n "$who" route replace "$@"
}

route6() {
  local who=$PREFIX-$1
  shift
  if $ipv6; then inside ip -n "$who" -6 route replace "$@"; fi
}

# Attachment K: client 198.18.1K.2 — 198.18.1K.1 router 198.18.2K.1 — 198.18.2K.2 server. The ranges are the ones set
# aside for benchmarks: 198.18.0.0/15 (RFC 2544) and 2001:2::/48 (RFC 5180).
SERVER4=198.18.30.1
SERVER6=2001:2:0:30::1

attach() {
  local k=$1
  connect client "masque-c$k" "198.18.1$k.2" "2001:2:0:1$k::2" "router$k" "masque-r${k}c" "198.18.1$k.1" "2001:2:0:1$k::1"
  connect "router$k" "masque-r${k}s" "198.18.2$k.1" "2001:2:0:2$k::1" server "masque-s$k" "198.18.2$k.2" "2001:2:0:2$k::2"
  within "router$k" sysctl -qw net.ipv4.ip_forward=1
  if $ipv6; then within "router$k" sysctl -qw net.ipv6.conf.all.forwarding=1; fi

  route "router$k" "$SERVER4/32" via "198.18.2$k.2"
  route6 "router$k" "$SERVER6/128" via "2001:2:0:2$k::2"
  # The server answers from its own address, whichever way a packet came.
  route server "198.18.2$k.0/24" dev "masque-s$k" src "$SERVER4"
  route server "198.18.1$k.0/24" via "198.18.2$k.1" src "$SERVER4"
  route6 server "2001:2:0:1$k::/64" via "2001:2:0:2$k::1" src "$SERVER6"
}

# The client's way to the server: over attachment K.
use_attachment() {
  route client default via "198.18.1$1.1"
  route6 client default via "2001:2:0:1$1::1"
}

# Source NAT in a router, with a port at random for each flow: after a rebind it is another one. Sets nat to what was used.
masquerade() {
  local who=router$1 tool
  if inside nft --version >/dev/null 2>&1 &&
    within "$who" nft -f - 2>/dev/null <<NFT; then
table ip masque { chain nat { type nat hook postrouting priority 100; oifname "masque-r${1}s" masquerade fully-random; }; }
NFT
    nat=nft
    if $ipv6; then
      within "$who" nft -f - 2>/dev/null <<NFT || true
table ip6 masque { chain nat { type nat hook postrouting priority 100; oifname "masque-r${1}s" masquerade fully-random; }; }
NFT
    fi
    return
  fi
  for tool in iptables iptables-legacy; do
    command -v "$tool" >/dev/null || continue
    within "$who" "$tool" -t nat -A POSTROUTING -o "masque-r${1}s" -j MASQUERADE --random-fully 2>/dev/null || continue
    if $ipv6; then within "$who" "${tool/iptables/ip6tables}" -t nat -A POSTROUTING -o "masque-r${1}s" -j MASQUERADE --random-fully 2>/dev/null || true; fi
    nat=$tool
    return
  done
  nat=none
}

undo() {
  local status=$?
  trap - EXIT INT TERM
  if ((status != 0)); then
    if [[ -n $made_holder ]]; then remove_holder "$made_holder" >/dev/null 2>&1 || true; fi
    # A session without root has its namespaces inside, and they are gone with it.
    if [[ $mode == root && ${#made_namespaces[@]} -gt 0 ]]; then remove_namespaces "${made_namespaces[@]}" >/dev/null 2>&1 || true; fi
  fi
  drop_lock
  exit "$status"
}

up() {
  choose_mode "$@"
  need_linux
  need ip iproute2
  trap undo EXIT
  trap 'exit 130' INT TERM
  take_lock 30 || fail "$STATUS_FAILED" "another topology.sh is making or removing namespaces of this name, for 30 s already" \
    "topology.sh status shows what is there; topology.sh down removes it."
  if [[ -n $(holders)$(root_namespaces) ]]; then
    fail "$STATUS_FAILED" "namespaces of this name are there already" "topology.sh status shows them, topology.sh down removes them."
  fi

  ENTER=()
  if [[ $mode == rootless ]]; then
    need unshare util-linux
    need nsenter util-linux
    start_holder
    find_session
  fi
  ipv6=false
  [[ -d /proc/sys/net/ipv6 ]] && ipv6=true

  local name k
  for name in "${NAMESPACES[@]}"; do
    add_namespace "$name"
    inside ip -n "$PREFIX-$name" link set lo up
  done
  inside ip -n "$PREFIX-server" address add "$SERVER4/32" dev lo
  if $ipv6; then inside ip -n "$PREFIX-server" address add "$SERVER6/128" dev lo nodad; fi
  for k in 0 1; do
    attach "$k"
    masquerade "$k"
  done
  use_attachment 0
  trap - EXIT INT TERM
  drop_lock

  echo "up          client - router - server, $mode"
  echo "server      $SERVER4$($ipv6 && echo ", $SERVER6")"
  $ipv6 || echo "IPv6        not in this kernel"
  if [[ $nat == none ]]; then
    echo "NAT         none: nft or iptables with MASQUERADE is missing, so nat-rebind cannot be shown (apt install nftables)"
  else
    echo "NAT         in the routers, by $nat"
  fi
  echo "a command there:   netem/topology.sh exec client -- ping -c 3 $SERVER4"
  echo "remove all of it:  netem/topology.sh down"
}

add_namespace() {
  local said
  # Before: an `ip netns add` that fails may leave a file.
  made_namespaces+=("$1")
  if ! said=$(inside ip netns add "$PREFIX-$1" 2>&1); then
    case $said in
    *"not permitted"* | *"ermission denied"*)
      fail "$STATUS_NO_RIGHT" "no network namespace can be made: $said" \
        "Root in a container often lacks CAP_SYS_ADMIN and CAP_NET_ADMIN; try --rootless, or the emulator: npm run netem -- run PROFILE ..."
      ;;
    *) fail "$STATUS_FAILED" "no network namespace can be made: $said" ;;
    esac
  fi
}

# --- down and status -----------------------------------------------------------------------------------------------------

remove_everything() {
  local pid
  for pid in $(holders); do remove_holder "$pid"; done
  # shellcheck disable=SC2046 # one word a name
  remove_namespaces $(root_namespaces)
}

remove_holder() {
  local pid=$1 tries
  # It is process 1 of its own process namespace: with it goes all that runs inside, and with that the namespaces.
  kill -KILL "$pid" 2>/dev/null || true
  for ((tries = 0; tries < 250; tries++)); do
    [[ -e /proc/$pid ]] || break
    sleep 0.02
  done
  echo "removed     the session without root (holder process $pid)"
}

# Of root's, by their names without the prefix.
remove_namespaces() {
  local name pids
  for name in "$@"; do
    ((EUID == 0)) || fail "$STATUS_NO_RIGHT" "$PREFIX-$name was made by root" "Use sudo netem/topology.sh down."
    pids=$(ip netns pids "$PREFIX-$name" 2>/dev/null || true)
    if [[ -n $pids ]]; then
      stop_processes "$pids"
      echo "stopped     what ran in $PREFIX-$name (processes ${pids//$'\n'/, })"
    fi
    # The veth pairs go with their namespaces. An aborted `ip netns add` leaves a plain file.
    ip netns delete "$PREFIX-$name" 2>/dev/null || rm -f "/run/netns/$PREFIX-$name"
    echo "removed     $PREFIX-$name"
  done
}

# Asks first (SIGTERM), insists after a second.
stop_processes() {
  local pid tries
  for pid in $1; do kill -TERM "$pid" 2>/dev/null || true; done
  for ((tries = 0; tries < 50; tries++)); do
    for pid in $1; do
      if kill -0 "$pid" 2>/dev/null; then
        sleep 0.02
        continue 2
      fi
    done
    return 0
  done
  for pid in $1; do kill -KILL "$pid" 2>/dev/null || true; done
}

down() {
  need_linux
  # An `up` that hangs must not be in the way of what removes it.
  if take_lock 10; then
    trap drop_lock EXIT
  else
    echo "note        another topology.sh is at work for 10 s already; removing what it has made so far"
  fi
  if [[ -z $(holders)$(root_namespaces) ]]; then
    echo "nothing to remove: no namespace and no process named $PREFIX-*"
    return
  fi
  remove_everything
}

status() {
  need_linux
  local name found complete=true
  found=$(holders)$(root_namespaces)
  if [[ -z $found ]]; then
    echo "not up: no namespace and no process named $PREFIX-* (netem/topology.sh up makes them)"
    exit "$STATUS_NOT_UP"
  fi
  [[ -n $(holders) ]] && echo "holder      process $(holders | paste -sd ' '), a session without root"
  find_session
  for name in "${NAMESPACES[@]}"; do
    if inside test -e "/run/netns/$PREFIX-$name"; then
      echo "$PREFIX-$name"
      inside ip -n "$PREFIX-$name" -oneline address show 2>/dev/null | awk '$2 != "lo" && $4 !~ /^fe80/ { printf "  %-12s %s\n", $2, $4 }'
      within "$name" tc qdisc show 2>/dev/null | awk '!/noqueue/ { print "  " $0 }'
    else
      echo "$PREFIX-$name   missing"
      complete=false
    fi
  done
  if ! $complete; then
    echo "not all of it is there: remove the rest with netem/topology.sh down"
    exit "$STATUS_NOT_UP"
  fi
}

# --- check ---------------------------------------------------------------------------------------------------------------

# Prints which of the queueing disciplines the kernel does not have, in a namespace that exists for this moment only.
missing_disciplines() {
  cat <<'PROBE'
    say() { printf 'missing %s: %s\n' "$1" "$2"; }
    out=$(tc qdisc add dev lo root handle 1: netem delay 1ms 2>&1) || say sch_netem "$out"
    out=$(tc qdisc replace dev lo root handle 2: tbf rate 1mbit burst 2000b limit 9000b 2>&1) || say sch_tbf "$out"
    out=$(tc qdisc replace dev lo root handle 3: pfifo limit 9 2>&1) || say sch_fifo "$out"
    :
PROBE
}

explain_missing_module() {
  local module=$1
  if modinfo "$module" >/dev/null 2>&1; then
    fail "$STATUS_NO_MODULE" "the kernel module $module is installed, but not loaded" \
      "Load it: sudo modprobe $module" "Or use the emulator: npm run netem -- run PROFILE ..."
  fi
  fail "$STATUS_NO_MODULE" "this kernel ($(uname -r)) has no $module" \
    "Where it is a package of its own: Ubuntu: apt install linux-modules-extra-$(uname -r); Fedora: dnf install kernel-modules-extra" \
    "Some cloud and container kernels are built without it. The emulator needs no module: npm run netem -- run PROFILE ..." \
    "npm run test:netem shows the kernel backend inside User Mode Linux, which has it."
}

check() {
  choose_mode "$@"
  need_linux
  need ip iproute2
  need tc iproute2
  need unshare util-linux
  local said namespaces=(--net)
  [[ $mode == rootless ]] && namespaces=(--user --map-root-user --net)
  if ! said=$(unshare "${namespaces[@]}" true 2>&1); then
    [[ $mode == rootless ]] && explain_no_user_namespace "$said"
    fail "$STATUS_NO_RIGHT" "no network namespace can be made: $said" "Root in a container often lacks CAP_SYS_ADMIN; try --rootless."
  fi
  said=$(unshare "${namespaces[@]}" bash -c "$(missing_disciplines)")
  case $said in
  '') echo "the kernel backend can work here ($mode)" ;;
  *"not permitted"*) explain_no_user_namespace "$said" ;;
  *)
    said=${said%%:*}
    explain_missing_module "${said#missing }"
    ;;
  esac
}

# --- inside --------------------------------------------------------------------------------------------------------------

# Sets who to the namespace that a word of the command line means.
choose_namespace() {
  case ${1:-} in
  client | router0 | router1 | server) who=$1 ;;
  router) who=router0 ;;
  *) fail "$STATUS_USAGE" "'${1:-}' is none of client, router, router0, router1, server" ;;
  esac
}

enter() {
  choose_namespace "${1:-}"
  find_session
  printf '%s\n' "${ENTER[@]}" ip netns exec "$PREFIX-$who" | sed '/^$/d'
}

run_inside() {
  choose_namespace "${1:-}"
  shift
  [[ ${1:-} == -- ]] && shift
  (($# > 0)) || fail "$STATUS_USAGE" "which command? topology.sh exec $who -- COMMAND..."
  find_session
  exec "${ENTER[@]}" ip netns exec "$PREFIX-$who" "$@"
}

# Changes of address are lines for `ip -batch`. Whoever needs one at a moment takes the lines beforehand (--print) and has an
# `ip` wait for them, because the programs that are started to find out what to do take time.

# change_address NAMESPACE [--print] FUNCTION ARGUMENTS...: the lines that the function prints, to `ip` there or to us.
change_address() {
  local who=$PREFIX-$1 lines
  shift
  if [[ $1 == --print ]]; then
    "${@:2}"
  else
    lines=$("$@")
    inside ip -n "$who" -batch - <<<"$lines"
  fi
}

# An address that goes away takes the NAT mappings with it that use it; when it is back, every flow gets a new port.
rebind_lines() {
  local k=$1 device=masque-r${1}s
  printf '%s\n' "address delete 198.18.2$k.1/24 dev $device" "address add 198.18.2$k.1/24 dev $device" \
    "route replace $SERVER4/32 via 198.18.2$k.2"
  $ipv6 || return 0
  printf '%s\n' "address delete 2001:2:0:2$k::1/64 dev $device" "address add 2001:2:0:2$k::1/64 dev $device nodad" \
    "route replace $SERVER6/128 via 2001:2:0:2$k::2"
}

nat_rebind() {
  local print=()
  if [[ ${1:-} == --print ]]; then
    print=(--print)
    shift
  fi
  local k=${1:-0}
  [[ $k == [01] ]] || fail "$STATUS_USAGE" "attachment '$k': 0 or 1 is expected"
  find_session
  ipv6=false
  within "router$k" test -d /proc/sys/net/ipv6 && ipv6=true
  if ! has_nat "$k"; then
    fail "$STATUS_NO_TOOL" "the router does no NAT: nothing to rebind" \
      "topology.sh up says why; with nft or iptables (apt install nftables) it will, after down and up."
  fi
  change_address "router$k" "${print[@]}" rebind_lines "$k"
}

has_nat() {
  local rules
  # All of it first: `grep -q` ends at the first match, and a program that still writes would be ended by that.
  rules=$(within "router$1" nft list table ip masque 2>/dev/null) || rules=
  [[ $rules == *masquerade* ]] && return
  rules=$(within "router$1" iptables -t nat -S 2>/dev/null) || rules=
  [[ $rules == *MASQUERADE* ]] && return
  rules=$(within "router$1" iptables-legacy -t nat -S 2>/dev/null) || rules=
  [[ $rules == *MASQUERADE* ]]
}

handover_lines() {
  echo "route replace default via 198.18.1$1.1"
  if $ipv6; then echo "route replace default via 2001:2:0:1$1::1"; fi
}

handover() {
  local print=()
  if [[ ${1:-} == --print ]]; then
    print=(--print)
    shift
  fi
  [[ ${1:-} == [01] ]] || fail "$STATUS_USAGE" "attachment '${1:-}': 0 or 1 is expected"
  find_session
  ipv6=false
  within client test -d /proc/sys/net/ipv6 && ipv6=true
  change_address client "${print[@]}" handover_lines "$1"
}

case ${1:-} in
up | down | status | check | enter | handover) "$@" ;;
exec) run_inside "${@:2}" ;;
nat-rebind) nat_rebind "${@:2}" ;;
-h | --help | help) usage ;;
*)
  usage >&2
  exit "$STATUS_USAGE"
  ;;
esac
