#!/bin/bash
# The first process inside User Mode Linux: makes the machine ready, runs the job, and halts.
# The kernel's command line puts MASQUE_JOB (a folder on the host) into the environment. In it: `command` (a script; its
# standard output goes to `output`), afterwards `status`. What is said on the way is on the console, which uml.ts reads.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=$MASQUE_JOB LANG=C.UTF-8
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

# Ends this machine. The host's `halt` may be systemd's, or not there: the system call itself, then.
halt() {
  sync
  perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)'
}

# The root file system is the host's own: nothing is written outside of the job's folder and of these mounts.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm 2>/dev/null
ip link set lo up

# Whatever happens out there, this machine does not outlive its job's time.
(
  sleep "$MASQUE_SECONDS"
  echo "uml: stopped after $MASQUE_SECONDS s"
  halt
) &

for folder in /usr/lib/uml/modules/*/; do modules=${folder%/}; done
# shellcheck disable=SC2086 # a list of words
perl "$here/load-modules.pl" "$modules" veth sch_netem sch_tbf iptable_nat xt_MASQUERADE ipv6 ip6table_nat ${MASQUE_MODULES:-}

# A probe's receive buffer holds what comes while the probe is held up.
echo 16777216 >/proc/sys/net/core/rmem_max
echo 16777216 >/proc/sys/net/core/wmem_max

cd "$(cat "$MASQUE_JOB/folder")" || halt
bash "$MASQUE_JOB/command" >"$MASQUE_JOB/output"
echo $? >"$MASQUE_JOB/status"
halt
