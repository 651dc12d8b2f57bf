#!/usr/bin/env bash
# Figure 9 in the lab, in 20 s, under policies of each family: the first, and all that move flows, as far as a switch
# can tell what they go by. The list is the program's own. Schedulers run under the autoscaler of lab/fig9, autoscalers
# under Round-Robin. Whatever fails is named at the end, and the others run all the same. Ten minutes; it takes jq.
#
#   hw/lab/families.sh PROGRAM OUT
set -euo pipefail
program=$1 out=$2/families

# The times that autoscalers have of their own, shorter as the run is: 20 s for 330 s.
declare -A times=(
	[hpa]="cpu_initialization_period=18s initial_readiness_delay=1800ms downscale_stabilization=18s"
	[keda]="polling_interval=1800ms cooldown_period=18s downscale_stabilization=18s"
	[phpa-linear]="cpu_initialization_period=1800ms initial_readiness_delay=1800ms look_ahead=600ms"
	[autopilot-horizontal]="window=600ms horizon=20s defer=18s halve=4s"
	[kpa]="stable_window=4s"
	[nomad-target-value]="cooldown=18s cooldown_on_scale_up=18s"
	[aws-target-tracking]="period=3600ms scale_out_cooldown=18s scale_in_cooldown=18s"
	[threshold]="cooldown=600ms"
)
# T5 is what a simulator alone knows.
list='.[] | select(.key | IN("scheduler.policy", "autoscaler.policy")) | .key as $key
	| [.policies[] | select(.family and (.telemetry | index("T5") | not))] | group_by(.family)[]
	| .[0], (.[1:][] | select(.does // [] | any(startswith("moves flows"))))
	| "\($key) \(.name)"'
sound='.complete and .conservation.holds and .totals.processed > 0
	and .policy.placed + .policy.refused + .policy.held >= .totals.flows'
row='[.policy.placed, .policy.moved, .totals.offered, .totals.processed, .totals.dropped.instance,
	(.totals.dropped | add) - .totals.dropped.instance] | @tsv'

run() { # KEY POLICY RECORD
	local sets=(--set scheduler.policy=round-robin --set "$1=$2") option
	for option in ${times[$2]-}; do sets+=(--set "$1.$2.$option"); done
	"$program" replay lab/fig9 --set duration=20s --set workload.0.cbr.interval=600ms "${sets[@]}" \
		--testbed /run/smartinco/lab/testbed.yaml -o "$3" &&
		"$program" verify "$3" &&
		{ jq -e "$sound" "$3/run.json" >/dev/null || { echo "not complete, or flows or packets are missing"; false; }; }
}

rm -rf "$out"
mkdir -p "$out"
policies=$("$program" policies --format json | jq -r "$list")
trap '"$program" lab down' EXIT
trap 'exit 130' INT TERM HUP # otherwise the next policy would follow
"$program" lab up
printf 'policy\tload average\tinstances started\tplaced\tmoved\toffered\tprocessed\tlost by instances\telsewhere\n' \
	>"$out/families.tsv"
failed=()
while read -r key policy; do
	record=$out/$key/$policy load=$(cut -d' ' -f1 /proc/loadavg)
	printf '\n== %s=%s; load average %s\n' "$key" "$policy" "$load"
	if run "$key" "$policy" "$record" </dev/null; then
		printf '%s\t%s\t%s\t%s\n' "$key=$policy" "$load" \
			"$(grep -c '"event":"instance-ready"' "$record/events.jsonl")" "$(jq -r "$row" "$record/run.json")" \
			>>"$out/families.tsv"
	else
		failed+=("$key=$policy")
	fi
done <<<"$policies"
echo
column -t -s $'\t' "$out/families.tsv"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[*]}" >&2
	exit 1
fi
