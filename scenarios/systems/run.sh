#!/usr/bin/env bash
# Runs the scenarios of systems, and brings figures and tables of docs/systems.md up to date, and the figure of
# docs/scale.md.
#
#   scenarios/systems/run.sh PROGRAM OUT
set -euo pipefail
program=$1 out=$2

rm -rf "${out:?}" # of an earlier program: finished runs would be passed over
for file in scenarios/systems/*.yaml; do
	"$program" sweep "$file" -o "$out/$(basename "$file" .yaml)"
done
"$program" sweep fig9 -o "$out/fig9"
"$program" sweep rack --set sweep.seeds=5 --set 'sweep.matrix={nodes.count: [8, 12, 16, 24, 32, 48, 64],
	nodes.dispatcher.policy: [maglev, round-robin, power-of-d, worst-fit]}' -o "$out/rack"

for study in horus horus-trimodal ringleader prequal ipipe; do
	"$program" plot tail "$out/$study" -o "$out/systems-$study.png"
done
"$program" plot lines "$out/horus" --metric resubmissions,messages -o "$out/systems-decisions.png"
"$program" plot lines "$out/horus-rack" --metric delay_p99_s,signals --where scheduler.policy=horus \
	--where scheduler.policy=racksched -o "$out/systems-horus-rack.png"
"$program" plot lines "$out/rack" --metric imbalance -o "$out/systems-nodes.png"
"$program" plot lines "$out/maestro" --metric loss -o "$out/systems-maestro.png"
in=$out/inreal/inreal-scheduler.policy
"$program" plot scaling "$in=hash-autoscaler.policy=in-real" "$in=best-fit-autoscaler.policy=hottest-instance" \
	-o "$out/systems-inreal.png"
cp "$out"/systems-*.png docs/img/
go run ./study/systems "$out" docs/systems.md
