#!/usr/bin/env bash
# How much more two worker processes on two cores train than one on one core: networks for digits a minute.
# Usage: benches/workers/run.sh [ROUNDS]   (NAS_SCRIPT names the program; default: target/release/nas-script)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=${NAS_SCRIPT:-$here/../../target/release/nas-script}
rounds=${1:-3}
count=40
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Networks a minute of `nas-script --workers $1` on the cores $2.
measure() {
  local place start end
  place=$(mktemp -d -p "$folder")
  start=$(date +%s.%N)
  (cd "$place" && taskset -c "$2" "$program" "$here/children.rhai" -q --workers "$1" -p count=$count > out)
  end=$(date +%s.%N)
  grep -qx "$count networks" "$place/out"
  awk -v s="$start" -v e="$end" -v n=$count 'BEGIN { printf "%.1f\n", 60 * n / (e - s) }'
}

for ((round = 1; round <= rounds; round++)); do
  one=$(measure 1 0)
  two=$(measure 2 0,1)
  awk -v r="$round" -v one="$one" -v two="$two" \
    'BEGIN { printf "round %d: one worker %s, two %s networks a minute: ratio %.2f\n", r, one, two, two / one }'
done
