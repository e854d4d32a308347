# shellcheck shell=bash
# What the independent peers share: a QEMU in each guest, with one device of that guest's kernel, and the migration from a to b.
# Sourced after settings.sh, never run.

# Everything ends by then, in the shell's SECONDS.
limit=$((SECONDS + 400))

in_guest() { "$LAB_FOLDER/guest-exec" --timeout 120 "$@"; }

# monitor GUEST COMMAND: one command to the monitor of the nested QEMU, and its answer
monitor() {
  in_guest "$1" "perl -MIO::Socket::UNIX -e '\$s = IO::Socket::UNIX->new(Peer => \"/run/peer.monitor\") or die \"monitor: \$!\"; print \$s \"$2\\n\"; \$s->flush; alarm 60; while (sysread(\$s, \$p, 4096)) { \$a .= \$p; last if \$a =~ /\\(qemu\\).*\\(qemu\\) \$/s } print \$a'"
}

# make_device GUEST PARENT TYPE: prints the new device's UUID
make_device() {
  local uuid
  uuid=$(in_guest "$1" 'cat /proc/sys/kernel/random/uuid')
  in_guest "$1" "echo $uuid > /sys/class/mdev_bus/$2/mdev_supported_types/$3/create"
  echo "$uuid"
}

remove_device() { in_guest "$1" "echo 1 > /sys/bus/mdev/devices/$2/remove"; }

# start_nested GUEST LOG QEMU UUID OPTIONS: b waits for the stream of a; returns once the monitor can be asked
start_nested() {
  local guest=$1 log=$LAB_WORK/share/$2-$1.log qemu=$3 uuid=$4 options=$5 incoming=''
  [ "$guest" = a ] || incoming='-incoming tcp:10.77.0.2:4444'
  in_guest "$guest" "rm -f /run/peer.monitor; setsid $qemu -accel tcg -machine q35 -m 32 -nodefaults -no-user-config -display none $incoming \
    -device vfio-pci,sysfsdev=/sys/bus/mdev/devices/$uuid,id=device,$options \
    -monitor unix:/run/peer.monitor,server=on,wait=off </dev/null >$log 2>&1 & echo \$! > /run/peer.pid"
  until in_guest "$guest" 'test -S /run/peer.monitor'; do
    in_guest "$guest" "kill -0 \$(cat /run/peer.pid)" || fail "the nested QEMU of guest $guest ended: $(tail -1 "$log")"
    [ "$SECONDS" -lt "$limit" ] || fail "the nested QEMU of guest $guest does not start"
    sleep 1
  done
}

# migrate_nested LOG: from a to b, until QEMU calls it completed
migrate_nested() {
  local status
  monitor a 'migrate -d tcp:10.77.0.2:4444' >/dev/null
  while :; do
    status=$(monitor a 'info migrate' | tr -d '\r' | sed -n 's/^\(Migration status\|Status\): *\([a-z-]*\).*/\2/p')
    case $status in
      completed) return 0 ;;
      failed*) fail "QEMU says the migration failed: $(monitor a 'info migrate' | tr -d '\r' | grep -i error | head -1) $(tail -qn 2 "$LAB_WORK/share/$1-a.log" "$LAB_WORK/share/$1-b.log" | tr '\n' ' ')" ;;
    esac
    [ "$SECONDS" -lt "$limit" ] || fail "QEMU's migration does not end: status $status"
    sleep 1
  done
}

# end_nested GUEST: quits, and waits until the process has ended
end_nested() {
  monitor "$1" quit >/dev/null 2>&1 || true
  in_guest "$1" "for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 \$(cat /run/peer.pid) 2>/dev/null || exit 0; sleep 1; done; kill -9 \$(cat /run/peer.pid)" ||
    fail "the nested QEMU of guest $1 does not end"
}
