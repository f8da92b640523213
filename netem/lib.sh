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
    "Without it: the emulator works on every system (npm run netem -- run PROFILE ...)."
}

need_linux() {
  [[ $(uname -s) == Linux ]] && return
  fail "$STATUS_NO_TOOL" "network namespaces and tc netem are Linux's, and this is $(uname -s)" \
    "The emulator does the same on every system: npm run netem -- run PROFILE ..."
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

# --- one at a time -----------------------------------------------------------------------------------------------------------

# Two `up` at once would each find nothing, and each make half. The lock is this user's: another user's session is another one.
LOCK_DIRECTORY=/tmp/masque-netem-$EUID
LOCK=$LOCK_DIRECTORY/$PREFIX

# take_lock SECONDS: fails when somebody else has it for longer. Held until drop_lock, or until this script has ended.
take_lock() {
  # In a folder that only this user can write to: in /tmp itself anybody could put something of this name.
  mkdir -m 700 "$LOCK_DIRECTORY" 2>/dev/null || true
  if [[ -L $LOCK_DIRECTORY || ! -d $LOCK_DIRECTORY || ! -O $LOCK_DIRECTORY ]]; then
    fail "$STATUS_FAILED" "$LOCK_DIRECTORY is not a folder of yours, and the lock belongs there" "Have it removed, and try again."
  fi
  if command -v flock >/dev/null; then take_file_lock "$1"; else take_folder_lock "$1"; fi
}

take_file_lock() {
  local until=$((SECONDS + $1))
  while ((SECONDS < until)); do
    mkdir -m 700 "$LOCK_DIRECTORY" 2>/dev/null || true
    # Whoever had the lock may remove the folder at any moment.
    { exec 9>"$LOCK"; } 2>/dev/null || continue
    flock --wait "$((until - SECONDS))" 9 || break
    # Or the file: then this is the lock of nobody. By way of /proc, since /dev/fd is not everywhere (User Mode Linux).
    [[ $LOCK -ef /proc/self/fd/9 ]] && return
  done
  exec 9>&-
  return 1
}

# A folder can be made once only. The file in it says by whom: a process that was killed does not hold it any more.
take_folder_lock() {
  local until=$((SECONDS + $1)) owner
  until mkdir "$LOCK.d" 2>/dev/null; do
    mkdir -m 700 "$LOCK_DIRECTORY" 2>/dev/null || true
    owner=$(cat "$LOCK.d/owner" 2>/dev/null) || owner=
    if [[ -n $owner && ! -d /proc/$owner ]]; then
      rm -rf "$LOCK.d"
      continue
    fi
    ((SECONDS < until)) || return 1
    sleep 0.05
  done
  printf '%s\n' "$$" >"$LOCK.d/owner"
}

drop_lock() {
  if [[ $LOCK -ef /proc/self/fd/9 ]]; then rm -f "$LOCK"; fi
  exec 9>&-
  if [[ $(cat "$LOCK.d/owner" 2>/dev/null) == "$$" ]]; then rm -rf "$LOCK.d"; fi
  rmdir "$LOCK_DIRECTORY" 2>/dev/null || true
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
  # The first line. (Not through `head`: it ends at once, and the signal that `holders` gets for it would end the script.)
  holder=$(holders)
  holder=${holder%%$'\n'*}
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
