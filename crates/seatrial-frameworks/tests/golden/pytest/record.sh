#!/usr/bin/env bash
# Records the golden files of this directory anew:
#     record.sh PYTHON6 PYTHON7 PYTHON8 PYTHON9
# Each is an interpreter with pytest of that version and pytest-rerunfailures (the first three with pytest-subtests too).
# NAME.jsonl holds the report lines of all tests, NAME.txt what pytest itself printed. What differs from machine to
# machine is replaced: the suite's directory by /project, the interpreter's library by /python, addresses by 0x1.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/suite" "$work/suite"
record() { # record NAME PYTHON ARGS...
  local name=$1 python=$2 library version
  shift 2
  library=$("$python" -c 'import os, pytest; print(os.path.dirname(os.path.dirname(pytest.__file__)))')
  version=$("$python" -c 'import os; print(os.path.dirname(os.__file__))')
  (cd "$work/suite" && env -u PYTHONPATH PYTHONPATH="$here" PYTHONDONTWRITEBYTECODE=1 COLUMNS=80 PYTHONHASHSEED=0 \
    RECORD="$work/record" "$python" -m pytest -p no:cacheprovider -p recorder --color=no -W ignore -r N "$@" \
    > "$work/text") || [ $? = 1 ]
  for pair in "record jsonl" "text txt"; do
    sed -E "s#(\.\./)*$work/suite#/project#g; s#(\.\./)*[^\" ]*${library#/}#/python#g; s#(\.\./)*[^\" ]*${version#/}#/python#g; s#0x[0-9a-f]{6,}#0x1#g" \
      "$work/${pair% *}" | if [ "${pair#* }" = txt ]; then sed -n '/^=\{3,\} \(ERRORS\|FAILURES\) =\{3,\}$/,$p' | sed '$d'; else cat; fi > "$here/$name.${pair#* }"
  done
}
record pytest6 "$1"
record pytest7 "$2"
record pytest8 "$3"
record pytest9 "$4"
some='compares or chains or deeper or after or words or sub or xpass_strict or many'
record short "$4" --tb=short --showlocals -k "$some"
record long "$4" --tb=long --showlocals -k "compares or (deeper and gr) or many"
record native "$4" --tb=native -k "chains or compares or group"
record line "$3" --tb=line -k "$some or before or fixture"
record stderr "$1" --show-capture=stderr -k "compares or before or error_after"
record none "$2" --show-capture=no -k "compares or before or error_after"
