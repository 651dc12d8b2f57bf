#!/usr/bin/env bash
# Figure 9 in the lab, in 20 s, under policies of each family: the first, and all that move flows, as far as a switch
# can tell what they go by. The list is the program's own. Schedulers run under the autoscaler of lab/fig9, autoscalers
# under Round-Robin. Then lab/vertical under all that change the shares of instances, in a lab with quotas that is
# calibrated first, each beside its simulation. Whatever fails is named at the end, and the others run all the same.
# Thirteen minutes; it takes jq.
#
#   hw/lab/families.sh PROGRAM OUT [POLICY...]
#
# With names, these policies alone.
set -euo pipefail
program=$1 out=$2/families
shift 2

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
	[vpa]="mode=in-place-or-recreate half_life=3600ms confidence_interval=3600ms lifetime=1800ms"
	[autopilot-vertical]="window=1s half_life=3600ms hold=3600ms"
)
# A line for each policy: the scenario, its key and its name. T5 is what a simulator alone knows, and requests are what
# it alone has.
list='.[] | select(.key | IN("scheduler.policy", "autoscaler.policy")) | .key as $key
	| [.policies[] | select(.family and (.telemetry | index("T5") | not) and .unit != "requests")] | group_by(.family)[]
	| def does(what): .does // [] | any(startswith(what));
	  def vertical: does("changes the shares");
	  ([.[] | select(vertical | not)] | .[0], (.[1:][] | select(does("moves flows"))) | "fig9 \($key) \(.name)"),
	  (.[] | select(vertical) | "vertical \($key) \(.name)")'
sound='.complete and .conservation.holds and .totals.processed > 0
	and .policy.placed + .policy.refused + .policy.held >= .totals.flows'
row='[.policy.placed, .policy.moved, .totals.offered, .totals.processed, .totals.dropped.instance,
	(.totals.dropped | add) - .totals.dropped.instance] | @tsv'

sets=()
set_for() { # KEY POLICY
	sets=(--set scheduler.policy=round-robin --set "$1=$2")
	local option
	for option in ${times[$2]-}; do sets+=(--set "$1.$2.$option"); done
}

run() { # SCENARIO KEY POLICY RECORD
	set_for "$2" "$3"
	if [ "$1" = fig9 ]; then sets+=(--set duration=20s --set workload.0.cbr.interval=600ms); fi
	"$program" replay "lab/$1" "${sets[@]}" --testbed /run/smartinco/lab/testbed.yaml -o "$4" &&
		"$program" verify "$4" &&
		{ jq -e "$sound" "$4/run.json" >/dev/null || { echo "not complete, or flows or packets are missing"; false; }; }
}

# What was calibrated, but that a change of a share takes a tenth of a second, where a start takes seconds, and that a
# quota reserves what it gives.
simulated() { # KEY POLICY RECORD
	set_for "$1" "$2"
	"$program" run lab/vertical --set "@$out/quota.yaml" --set nic.engine_latency=100ms \
		--set vnf.contention.share=reserved "${sets[@]}" -o "$3-simulated" &&
		"$program" compare "$3" "$3-simulated" -o "$3.pdf" | tee "$3.txt"
}

rm -rf "$out"
mkdir -p "$out"
policies=$("$program" policies --format json | jq -r "$list" | sort -s -k 1,1) # those in one lab one behind the other
if [ $# -gt 0 ]; then policies=$(grep -E " ($(IFS='|' && echo "$*"))$" <<<"$policies"); fi
trap '"$program" lab down' EXIT
trap 'exit 130' INT TERM HUP # otherwise the next policy would follow
printf 'policy\tload average\tinstances started\tplaced\tmoved\toffered\tprocessed\tlost by instances\telsewhere\n' \
	>"$out/families.tsv"
failed=() up=
lab() { # SCENARIO: brings up the lab that it is for
	if [ "$1" = "$up" ]; then return; fi
	if [ "$1" = fig9 ]; then
		"$program" lab up
	else
		"$program" lab down && "$program" lab up --quota 0.3 &&
			"$program" lab calibrate --counts 1,3 --measure 3s -o "$out/quota.yaml"
	fi && up=$1
}
while read -r scenario key policy; do
	record=$out/$key/$policy load=$(cut -d' ' -f1 /proc/loadavg)
	printf '\n== %s=%s; load average %s\n' "$key" "$policy" "$load"
	if lab "$scenario" && run "$scenario" "$key" "$policy" "$record" &&
		{ [ "$scenario" = fig9 ] || simulated "$key" "$policy" "$record"; }; then
		printf '%s\t%s\t%s\t%s\n' "$key=$policy" "$load" \
			"$(grep -c '"event":"instance-ready"' "$record/events.jsonl")" "$(jq -r "$row" "$record/run.json")" \
			>>"$out/families.tsv"
	else
		failed+=("$key=$policy")
	fi </dev/null
done <<<"$policies"
echo
column -t -s $'\t' "$out/families.tsv"
if [ ${#failed[@]} -gt 0 ]; then
	printf 'failed: %s\n' "${failed[*]}" >&2
	exit 1
fi
