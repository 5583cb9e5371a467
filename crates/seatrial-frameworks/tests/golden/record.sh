#!/usr/bin/env bash
# Records the golden files of this directory anew, from `fixtures/rust-suite` with the toolchain in use:
#     crates/seatrial-frameworks/tests/golden/record.sh
# What differs from machine to machine is replaced: the suite's directory by /project, the target directory by
# /target, the home directory by /home/user, the search path by /usr/bin. Needs python3 only for the log of calls.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
suite=$(cd "$here/../../../../fixtures/rust-suite" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR=$work/target RUST_BACKTRACE=0
unset RUST_TEST_THREADS
ulimit -c 0
host=$(rustc -vV | sed -n 's/^host: //p')
variable=CARGO_TARGET_$(tr 'a-z.-' 'A-Z__' <<<"$host")_RUNNER
neutral() {
  sed -e "s#/rustdoctest[A-Za-z0-9]*/#/rustdoctestAbCdEf/#g; s#$work/target#/target#g; s#$suite#/project#g; s#$work#/seatrial#g; s#$HOME#/home/user#g"
}

rm -rf "$here"/{one,list,many,cargo}
mkdir -p "$here"/{one,list,many,cargo} "$work/calls"
cd "$suite"

# A runner that logs its calls, and runs only doctests.
cat > "$work/runner" <<'R'
#!/bin/bash
set -u
n=$(ls "$CALLS" | wc -l)
printf '%s\n' "$PWD" "$@" > "$CALLS/$(printf %03d "$n")"
tr '\0' '\n' < /proc/$$/environ > "$CALLS.environ"
case $1 in
  */rust_out) RUSTDOC_DOCTEST_BIN_PATH=$1 exec "$@" ;;
esac
R
chmod +x "$work/runner"
toolchain=$(dirname "$(dirname "$(rustup which cargo)")")
cargo_call() {
  env -i HOME="$HOME" PATH="$toolchain/bin:/usr/bin:/bin" CARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
    CARGO_HOME="${CARGO_HOME:-$HOME/.cargo}" RUST_BACKTRACE=0 CALLS="$work/calls" TMPDIR=/tmp \
    ${make:+"MAKEFLAGS=$make"} "$variable=$work/runner" "$toolchain/bin/cargo" test "$@"
}
cargo_call --workspace --no-fail-fast --message-format json-render-diagnostics \
  > "$work/stdout" 2> "$work/stderr" && exit 1
neutral < "$work/stdout" > "$here/cargo/messages.txt"
neutral < "$work/stderr" > "$here/cargo/stderr.txt"
for call in "$work"/calls/*; do
  neutral < "$call" | paste -sd '\t'
done > "$here/cargo/calls.txt"
rm "$work"/calls/*
make=' -j --jobserver-auth=8,9' cargo_call -p outcomes --test integration passes -- --skip nothing > /dev/null 2>&1
neutral < "$work/calls.environ" | sed "s#$toolchain#/toolchain#g; s#/home/user/[^:=]*toolchains/[^/]*#/toolchain#g" |
  grep -Ev '^(_|SHLVL|OLDPWD)=' | sort > "$here/cargo/environ.txt"
cargo_call --doc -p docs-2021 > "$here/cargo/doctests-2021.txt" 2> /dev/null && exit 1
cargo_call --doc -p docs-2024 2> /dev/null > "$work/doc" && exit 1
neutral < "$work/doc" > "$here/cargo/doctests-2024.txt"
# The same without the variable that lets a bundle start each doctest in a process of its own.
sed -i 's/RUSTDOC_DOCTEST_BIN_PATH=$1 //' "$work/runner"
cargo_call --doc -p docs-2024 2> /dev/null > "$work/doc" && exit 1
neutral < "$work/doc" > "$here/cargo/doctests-2024-one-process.txt"
"$toolchain/bin/rustc" -vV > "$here/cargo/rustc-vV.txt"
"$toolchain/bin/rustc" --print cfg > "$here/cargo/rustc-cfg.txt"

binary() { # binary PACKAGE SELECTION...
  cargo test --no-run --message-format json-render-diagnostics -p "$@" 2> /dev/null |
    sed -n 's/.*"test":true},"features".*"executable":"\([^"]*\)".*/\1/p' | tail -1
}
run() { # run CASE BINARY ARGS...: its end, stdout and stderr in one file
  local file=$here/${1//::/-}.txt code=0
  shift
  "$@" > "$work/out" 2> "$work/err" < /dev/null || code=$?
  {
    if [ $code -gt 128 ]; then echo "signal $((code - 128))"; else echo "exit $code"; fi
    echo '--- stdout'
    cat "$work/out"
    echo '--- stderr'
    neutral < "$work/err"
  } > "$file"
}
lib=$(binary outcomes --lib)
mimic=$(binary harness --test mimic)
chatty=$(binary harness --test chatty)
silent=$(binary harness --test silent-ok)
cd "$suite/outcomes"
export CARGO_MANIFEST_DIR=$PWD OUT_DIR=/target/out OUTCOMES_BUILT_WITH='build script'
{
  run list/all "$lib" --list --format terse
  run list/ignored "$lib" --list --format terse --ignored
  run list/pretty "$lib" --list
  run list/mimic "$mimic" --list --format terse
  run list/chatty "$chatty" --list --format terse
  run list/silent "$silent" --list --format terse
  for test in $(sed -n 's/: test$//p' "$here/list/all.txt"); do
    run "one/${test#tests::}" "$lib" --exact "$test" --nocapture --test-threads=2
  done
  run one/ignored_asked_for "$lib" --exact tests::ignored --nocapture --ignored
  run one/unknown "$lib" --exact tests::nobody --nocapture
  run one/coloured "$lib" --exact tests::passes --nocapture --color always
  run one/bad_option "$lib" --exact tests::passes --nocapture --no-such-option
  for test in passes fails prints_half_a_line prints_half_a_line_and_fails should_panic_and_does; do
    run "one/${test}_on_one_thread" "$lib" --exact "tests::$test" --nocapture --test-threads=1
  done
  rest=(fails returns passes should_ prints another ignored_w panics_with --skip exits)
  run many/ends "$lib" "${rest[@]}" --test-threads=2
  run many/one_thread "$lib" "${rest[@]}" --test-threads=1
  run many/all_pass "$lib" --exact tests::passes tests::passes_too tests::ignored tests::should_panic_and_does
  run many/none "$lib" --exact tests::nobody
  run many/crash "$lib" prints segfaults --test-threads=1 --skip exits
  run many/exits "$lib" exits_with_0 passes --test-threads=1
} 2> /dev/null
