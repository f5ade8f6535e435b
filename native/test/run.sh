#!/usr/bin/env bash
# Builds and runs the core's tests: native/test/run.sh [--unit] [part of the names of the tests to run]
#   --unit  only the unit tests, without sanitizers; installs nothing, and prints a line for failures alone
# One line per test, then the count; exit code 1 if any failed. README.md says what is where.
set -u
cd "$(dirname "$0")"
export out=${out:-../../build/native-test}
programs=(plain/unit plain/stress asan/unit asan/stress asan/fuzz tsan/stress relacy/model)
show=(cat)
if [ "${1:-}" = --unit ]; then
  programs=(plain/unit)
  show=(grep -v '^ok ')
  shift
fi
filter=("${@:1:1}")
passed=0
failed=0

# have <apt package> <test that it is there...>: installs what is missing.
have() {
  local package=$1
  shift
  "$@" >/dev/null 2>&1 && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
  if command -v apt-get >/dev/null; then
    echo "installing $package"
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package")
    "${install[@]}" >/dev/null 2>&1 || { "${as_root[@]}" apt-get update -qq && "${install[@]}"; } >/dev/null 2>&1
    "$@" >/dev/null 2>&1 && return
  fi
  echo "native/test needs the apt package $package and could not install it: install it and run this again" >&2
  exit 1
}

count() {  # count <log>
  passed=$((passed + $(grep -c '^ok ' "$1")))
  failed=$((failed + $(grep -c '^FAILED ' "$1")))
}

report() {  # report <ok or FAILED> <seconds> <name>: a line as test.h prints it
  printf '%-6s %6.2f s  %s\n' "$@"
}

run() {  # run <variant>/<program>
  local log=$out/$1.log status
  timeout 300 ${launcher[$1]:-} "$out/$1" "${1%/*}" "${filter[@]}" 2>&1 | tee "$log" | "${show[@]}"
  status=${PIPESTATUS[0]}
  # A crash, a time-out or a sanitizer's report outlives the test's own line.
  if [ "$status" -ne 0 ] && ! grep -q '^FAILED ' "$log"; then
    report FAILED 0 "${1%/*}: ${1#*/} ended with status $status" | tee -a "$log"
  fi
  count "$log"
}

if [ ${#programs[@]} -gt 1 ]; then
  have make make --version
  have g++ g++ --version
  have relacy-dev test -e /usr/include/relacy/relacy.hpp
  have g++-mingw-w64-x86-64 x86_64-w64-mingw32-g++-posix --version
elif ! make --version >/dev/null 2>&1 || ! g++ --version >/dev/null 2>&1; then
  echo "skipped: the core's unit tests need make and g++"
  echo "0 passed, 0 failed"
  exit
fi

mkdir -p "$out"
log=$out/build.log
echo "building into $out"
if ! make -j"$(nproc)" "${programs[@]/#/$out/}" >"$log" 2>&1; then
  grep -E 'error|Error' "$log" || tail -20 "$log"
  echo "the tests do not build, see native/test/$log" >&2
  exit 1
fi
report built $SECONDS "${programs[*]}"

# ThreadSanitizer of GCC 12 cannot place its shadow where kernels randomize 32 bits of mmap.
declare -A launcher=()
if setarch -R true 2>/dev/null; then launcher[tsan/stress]='setarch -R'; fi

for program in "${programs[@]}"; do
  run "$program"
done

if [ $# -eq 0 ] && [ ${#programs[@]} -gt 1 ]; then
  log=$out/mingw.log
  from=$SECONDS
  if make -j"$(nproc)" mingw >"$log" 2>&1; then result=ok; else result=FAILED; fi
  [ $result = ok ] || grep -E 'error' "$log"
  report $result $((SECONDS - from)) "mingw: core_compiles_for_windows" | tee -a "$log"
  count "$log"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
