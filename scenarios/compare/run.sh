#!/usr/bin/env bash
# Runs every policy on the loads, and brings figures and tables of docs/comparison.md up to date.
#
#   scenarios/compare/run.sh PROGRAM OUT LOAD...
set -euo pipefail
program=$1 out=$2
shift 2
page=docs/comparison.md

for load; do
	rm -rf "${out:?}/$load" # of an earlier program: finished runs would be passed over
	"$program" sweep "scenarios/compare/$load.yaml" -o "$out/$load"
	if [ "$load" = scaling ]; then
		"$program" plot pareto "$out/$load" --by autoscaler.policy -o "$out/cost-$load.png"
		"$program" plot scaling "$out/$load"/*-stack={smartnic,kubernetes}-policy={target-utilization,hpa}-seed=1 \
			-o "$out/time-$load.png"
	elif [ "$load" != vertical ]; then # a table of few rows
		"$program" plot compare "$out/$load" -o "$out/compare-$load.png"
	fi
	for picture in "$out"/*"-$load.png"; do
		if [ -e "$picture" ]; then cp "$picture" docs/img/; fi
	done
	"$program" plot compare "$out/$load" -o "$out/compare-$load.md"
	awk -v load="$load" -v table="$out/compare-$load.md" '
		$0 == "<!-- end -->" { within = 0 }
		!within { print }
		index($0, "<!-- compare " load ": ") == 1 { within = 1; while ((getline row < table) > 0) print row }
	' "$page" >"$out/page.md"
	cp "$out/page.md" "$page"
done
