#!/bin/sh
# guard.sh TABLE [--now]: ends every process and removes every folder that a sandbox's process table lists.
# Without --now it first waits until its standard input ends: the supervisor holds the other end of that pipe, so this
# happens when the supervisor has ended, in whatever way. A supervisor that ended in order has removed the table; one that
# leaves its processes running says "leave".
set -eu
table=$1

if [ "${2:-}" != --now ]; then
  trap '' INT TERM HUP
  if read -r word && [ "$word" = leave ]; then
    exit 0
  fi
fi
[ -f "$table" ] || exit 0

# Alive, not a zombie, and the very process that was started: its number may have been given to another one since.
running() {
  [ -r "/proc/$1/stat" ] || return 1
  # shellcheck disable=SC2046 # the fields after the name are meant to be split
  set -- "$2" $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)
  [ "$#" -gt 20 ] && [ "$2" != Z ] && [ "${21}" = "$1" ]
}

# Sends a signal to all that still run; the exit code says whether there was one.
signal_all() {
  found=1
  while read -r kind pid start _; do
    if [ "$kind" = process ] && running "$pid" "$start"; then
      kill "-$1" "$pid" 2>/dev/null || true
      found=0
    fi
  done <"$table"
  return "$found"
}

if signal_all CONT; then
  signal_all TERM || true
  tries=0
  while [ "$tries" -lt 50 ] && signal_all 0; do
    tries=$((tries + 1))
    sleep 0.1
  done
  signal_all KILL || true
fi

while read -r kind path; do
  if [ "$kind" = directory ]; then
    rm -rf -- "$path"
  fi
done <"$table"
rm -f -- "$table"
