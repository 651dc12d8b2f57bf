#!/usr/bin/env bash
# Figure 9 in the lab, through Open vSwitch and through the driver for DOCA Flow on the stand-in for its SDK: the same
# program, containers, generator and traffic, and another switch. Open vSwitch runs twice, so that there is a measure of
# what two runs of the same differ by. Eight minutes for both policies.
#
#   hw/lab/doca.sh PROGRAM OUT [POLICY...]        PROGRAM is bin/smartinco-standin
set -euo pipefail
program=$1 out=$2
shift 2
if [ $# -eq 0 ]; then set -- best-fit round-robin; fi
policies=("$@")
lab=(--name docalab --dir /run/smartinco/docalab --listen 127.0.0.1:4521)

mkdir -p "$out"
trap '"$program" lab down "${lab[@]}"' EXIT
"$program" lab down "${lab[@]}"
for run in ovs doca ovs-again; do
	"$program" lab up "${lab[@]}" --switch "${run%-again}"
	for policy in "${policies[@]}"; do
		record=$out/$policy/$run
		echo "== $policy, $run; load average $(cut -d' ' -f1 /proc/loadavg)"
		"$program" replay lab/fig9 --set "scheduler.policy=$policy" --testbed /run/smartinco/docalab/testbed.yaml \
			--force -o "$record"
		"$program" verify "$record"
	done
	"$program" lab down "${lab[@]}"
done
for policy in "${policies[@]}"; do
	for run in ovs-again doca; do
		printf '\n== %s: %s against ovs\n' "$policy" "$run"
		"$program" compare "$out/$policy/ovs" "$out/$policy/$run" -o "$out/$policy-$run.pdf"
	done
done | tee "$out/comparison.txt"
