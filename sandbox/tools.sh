# shellcheck shell=bash
# What ./demo, ./test and sandbox/bench share. Sourced, with root set to the repository's folder.

# Java names files in the locale's encoding: without one it could not even build below a folder whose name is not ASCII.
case $(locale charmap 2>/dev/null) in
  UTF-8) ;;
  *) export LC_ALL=C.UTF-8 ;;
esac

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
work=${root:?the repository is to be named before this file is sourced}/.demo
stamp=$root/sandbox/target/built-from

# missing WHAT PACKAGE...: says in one line what is missing and how to install it on Debian; installs it where that is allowed. Of several
# packages it is the first that the machine's sources have: not every release carries each.
missing() {
  what=$1
  shift
  root_with_apt=no
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    root_with_apt=yes
    apt-get update -q >&2 </dev/null || true
  fi
  package=$1
  for candidate in "$@"; do
    if [ -n "$(apt-cache madison "$candidate" 2>/dev/null)" ]; then
      package=$candidate
      break
    fi
  done
  if [ "$root_with_apt" = yes ]; then
    echo "$what is missing; installing the package $package"
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$package" >&2 </dev/null && return
  fi
  echo "$what is missing; on Debian: apt-get install $package" >&2
  exit 3
}

java_version() { "$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p'; }
maven_version() { mvn -v 2>/dev/null </dev/null | sed -n 's/.*Apache Maven \([0-9]*\)\.\([0-9]*\).*/\1 \2/p'; }

require_java() {
  version=$(java_version) || version=
  [ "${version:-0}" -ge 17 ] || missing "Java 17 or newer" openjdk-17-jdk-headless default-jdk-headless
}

require_maven() {
  command -v "${java}c" >/dev/null || missing "the Java compiler" openjdk-17-jdk-headless default-jdk-headless
  version=$(maven_version) || version=
  # shellcheck disable=SC2086 # two numbers
  set -- ${version:-0 0}
  [ "$1" -gt 3 ] || { [ "$1" -eq 3 ] && [ "$2" -ge 8 ]; } || missing "Maven 3.8 or newer" maven
}

# One line that changes with every source, resource and pom that goes into the programs.
sources() {
  (
    cd "$root" || exit
    find . \( -name target -o -name '.git' -o -path './.demo' -o -path './.bench' -o -path './.lab' \) -prune -o \
      -type f \( -name pom.xml -o -path './.mvn/*' -o -path '*/main/*' \) -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
  )
}

built() {
  [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(sources)" ] &&
    [ -f "$root/src/target/quarkus-app/quarkus-run.jar" ] &&
    [ -f "$root/node-agent/agent/target/quarkus-app/quarkus-run.jar" ] &&
    for module in apiserver devices cluster demo benchmark simulation lab/scenarios; do
      [ -f "$root/sandbox/$module/target/classpath" ] || return 1
    done
}

mark_built() {
  mkdir -p "${stamp%/*}"
  sources >"$stamp"
}

# Runs Maven only where something changed since the last time.
build() {
  if built; then
    return
  fi
  require_maven
  mkdir -p "$work"
  echo "building (a first time Maven also fetches libraries; the log is $work/build.log)"
  if ! mvn -B -ntp -f "$root/pom.xml" -Dmaven.test.skip=true package >"$work/build.log" 2>&1 </dev/null; then
    grep -E '^\[(ERROR|FATAL)' "$work/build.log" | head -20 >&2
    echo "the build failed; the log is $work/build.log" >&2
    exit 4
  fi
  mark_built
}

# run_main ROOM CLASS ARGUMENT...: runs a main class of that folder of the sandbox in place of this script.
run_main() {
  target=$root/sandbox/$1/target
  main=$2
  shift 2
  jars=("$target"/sandbox-*.jar)
  mkdir -p "$work/tmp"
  cd "$root" || exit
  exec "$java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -XX:-UsePerfData -Djava.io.tmpdir="$work/tmp" \
    -Djava.util.logging.manager=org.jboss.logmanager.LogManager \
    -cp "${jars[0]}:$(cat "$target/classpath")" "$main" "$@"
}
