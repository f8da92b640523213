# shellcheck shell=bash
# shellcheck disable=SC2034 # the variables are for the scripts that read this file
#
# What the scripts of this folder have in common: names, addresses, exit statuses, and where the namespaces are.
# Read by topology.sh, apply.sh and clear.sh; needs bash 4.2 or newer and Linux.

# Everything that is made has this prefix, so that it can be found again by name.
PREFIX=${MASQUE_NETEM_PREFIX:-masque}
HOLDER=$PREFIX-netem-holder
NAMESPACES=(client router0 router1 server)

# Where the kernel's settings are read; tests have some of their own.
PROC_SYS=${MASQUE_NETEM_PROC_SYS:-/proc/sys}

# Exit statuses, one for each thing that can be in the way (README.md has the list).
STATUS_FAILED=1
STATUS_USAGE=2
STATUS_NO_MODULE=3
STATUS_NO_RIGHT=4
STATUS_APPARMOR=5
STATUS_NO_TOOL=6
STATUS_NOT_UP=7

# fail STATUS LINE...: the first line says what is wrong, the others what to do.
fail() {
  local status=$1 line
  shift
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  shift
  for line in "$@"; do printf '  %s\n' "$line" >&2; done
  exit "$status"
}

# Fails when a command is missing. need COMMAND PACKAGE
need() {
  command -v "$1" >/dev/null && return
  fail "$STATUS_NO_TOOL" "the command '$1' is missing" "Install it (Debian, Ubuntu: apt install $2; Fedora: dnf install $2)." \
    "Without it: the emulator works on every system (npm run netem -- run PROFILE …)."
}

need_linux() {
  [[ $(uname -s) == Linux ]] && return
  fail "$STATUS_NO_TOOL" "network namespaces and tc netem are Linux's, and this is $(uname -s)" \
    "The emulator does the same on every system: npm run netem -- run PROFILE …"
}

# The process that keeps the namespaces of a session without root, by its name; prints its id (of each one, if several).
# A name can be seen by everybody: only processes of this user count.
holders() {
  local directory name uid
  for directory in /proc/[0-9]*; do
    # Processes end while we look; and a kernel thread has no name here.
    { IFS= read -r -d '' name <"$directory/cmdline"; } 2>/dev/null || continue
    [[ $name == "$HOLDER" ]] || continue
    uid=$(stat -c %u "$directory" 2>/dev/null) || continue
    [[ $uid == "$(id -u)" ]] && printf '%s\n' "${directory#/proc/}"
  done
  return 0
}

# Our namespaces that root made, without the prefix.
root_namespaces() {
  local name
  for name in "${NAMESPACES[@]}"; do
    [[ -e /run/netns/$PREFIX-$name ]] && printf '%s\n' "$name"
  done
  return 0
}

# Sets ENTER to the words in front of a command that shall see our namespaces: none for root. Fails when nothing is up.
find_session() {
  local holder
  holder=$(holders | head -n 1)
  ENTER=()
  if [[ -n $holder ]]; then
    ENTER=(nsenter --target "$holder" --user --mount --net --pid --preserve-credentials -- env --chdir="$PWD")
  elif [[ -z $(root_namespaces) ]]; then
    fail "$STATUS_NOT_UP" "the namespaces are not there" "Make them first: netem/topology.sh up"
  elif ((EUID != 0)); then
    fail "$STATUS_NO_RIGHT" "the namespaces were made by root" \
      "Use sudo, or have them removed (sudo netem/topology.sh down) and make your own."
  fi
}
