# shellcheck shell=bash
# What all scripts of the lab share: where things lie, and how they say why they cannot go on. Sourced, never run.
#
# LAB_CACHE    downloaded packages (default REPOSITORY/.lab/cache)
# LAB_BUILD    what is unpacked and built from them, one folder per kernel (default REPOSITORY/.lab/build)
# LAB_WORK     one run's files: sockets, pids, consoles, the share of the guests (default REPOSITORY/.lab/work)
# LAB_KERNEL   the kernel series (default 6.12), or "mini": a small kernel with iommufd built from linux-source
# LAB_MEMORY   memory of one guest in MiB (default 1024)
# LAB_VISIBLE  further folders below /tmp or /run that the guests must see, separated by ":"

LAB_FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
LAB_TOP=$(cd "$LAB_FOLDER/../.." && pwd -P)
LAB_CACHE=${LAB_CACHE:-$LAB_TOP/.lab/cache}
LAB_BUILD=${LAB_BUILD:-$LAB_TOP/.lab/build}
LAB_WORK=${LAB_WORK:-$LAB_TOP/.lab/work}
LAB_KERNEL=${LAB_KERNEL:-6.12}
LAB_MEMORY=${LAB_MEMORY:-1024}
LAB_VISIBLE=${LAB_VISIBLE:-}
export LAB_TOP LAB_CACHE LAB_BUILD LAB_WORK LAB_KERNEL LAB_MEMORY LAB_VISIBLE

# Where one kernel's files lie: vmlinuz, version, modules (unpacked), build (headers), out (what we built).
kernel_folder() { echo "$LAB_BUILD/kernel-$LAB_KERNEL"; }

say() { echo "lab: $*"; }

# The machine cannot run the lab: a reason, and the status that means "skipped".
skip() {
  echo "LAB-SKIPPED: $*"
  exit 77
}

fail() {
  echo "LAB-FAILED: $*"
  exit 1
}
