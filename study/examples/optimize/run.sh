#!/usr/bin/env bash
# The searches of this folder, whose results stand in docs/studies.md.
#
#   study/examples/optimize/run.sh PROGRAM OUT
#
# TRex's mix is searched where SMARTINCO_TRACES names the folder that docs/traces.md describes.
set -euo pipefail
program=$1 out=$2
here=$(dirname "$0")
for search in fig9 fig9-front agh capture day; do
	"$program" optimize "$here/$search.yaml" -o "$out/$search"
	echo
done
if [ -n "${SMARTINCO_TRACES:-}" ]; then
	"$program" optimize "$here/mix.yaml" -o "$out/mix" \
		--set "workload.0.model.file=$SMARTINCO_TRACES/trex-sfr/sfr_delay_10_1g.yaml"
else
	echo "mix is skipped: SMARTINCO_TRACES is not set"
fi
