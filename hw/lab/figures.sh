#!/usr/bin/env bash
# Figures 6 to 10 in the lab: brings it up, measures what it can carry, runs the scaled figures on it, simulates them
# with what was measured, compares the two, and takes the lab down whatever happens. About fifteen minutes.
#
#   hw/lab/figures.sh PROGRAM OUT
set -euo pipefail
program=$1 out=$2
lab=/run/smartinco/lab

mkdir -p "$out"
rm -rf "$out/records" # of an earlier time: finished runs would be passed over, and held against today's calibration
trap '"$program" lab down' EXIT
"$program" lab up
"$program" lab calibrate -o "$out/calibration.yaml" | tee "$out/calibration.txt"
"$program" reproduce --plant hw --testbed "$lab/testbed.yaml" --scenarios lab -o "$out"

# What differs between a run and its simulation is what this is for: a record that does not verify ends it, an error of
# any size does not.
: >"$out/comparison.txt"
for study in fig6 fig7 fig9 fig10; do
	"$program" sweep "lab/$study" --set "@$out/calibration.yaml" -o "$out/records/sim/$study"
	for hw in "$out/records/hw/$study"/*/; do
		run=$(basename "$hw")
		"$program" verify "$hw"
		printf '\n== %s, %s: the lab, and its simulation\n' "$study" "$run" | tee -a "$out/comparison.txt"
		"$program" compare "$hw" "$out/records/sim/$study/$run" -o "$out/compare-$run.pdf" |
			tee -a "$out/comparison.txt"
	done
done
echo "figures and comparison.txt are in $out"
