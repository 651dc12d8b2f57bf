#!/usr/bin/env bash
# Runs every scheduling policy on three loads, and brings figures and tables of docs/comparison.md up to date.
#
#   scenarios/compare/run.sh PROGRAM OUT
set -euo pipefail
program=$1 out=$2
page=docs/comparison.md

for load in fig9 agh capture; do
	rm -rf "${out:?}/$load" # of an earlier program: finished runs would be passed over
	"$program" sweep "scenarios/compare/$load.yaml" -o "$out/$load"
	"$program" plot compare "$out/$load" -o "$out/compare-$load.png"
	"$program" plot compare "$out/$load" -o "$out/compare-$load.md"
	cp "$out/compare-$load.png" docs/img/
	awk -v begin="<!-- compare $load: make compare -->" -v table="$out/compare-$load.md" '
		$0 == "<!-- end -->" { within = 0 }
		!within { print }
		$0 == begin { within = 1; while ((getline row < table) > 0) print row }
	' "$page" >"$out/page.md"
	cp "$out/page.md" "$page"
done
