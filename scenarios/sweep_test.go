package scenarios

import (
	"strings"
	"testing"
)

func namesOfRuns(st *Study) (names []string) {
	for _, r := range st.Runs {
		names = append(names, strings.TrimPrefix(r.Name, "unnamed-"))
	}
	return names
}

// A range stands for values at equal distances, both ends among them, with the unit of its ends.
func TestARange(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"scheduler.limit: {from: 8Mpps, to: 12Mpps, steps: 3}", "limit=8Mpps limit=10Mpps limit=12Mpps"},
		{"scheduler.limit: {from: 12Mpps, to: 8Mpps, steps: 2}", "limit=12Mpps limit=8Mpps"},
		{"instances.max: {from: 8, to: 10, steps: 3}", "max=8 max=9 max=10"},
		{"telemetry.window: {from: 0.1s, to: 0.3s, steps: 3}", "window=0.1s window=0.2s window=0.3s"},
		{"vnf.contention.sigma: {from: 0, to: 1, steps: 4}",
			"sigma=0 sigma=0.333333333333 sigma=0.666666666667 sigma=1"},
	} {
		st := parse(t, minimal+"sweep: {matrix: {"+c.text+"}}")
		if got := strings.Join(namesOfRuns(st), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.text, got, c.want)
		}
	}
	if got := parse(t, minimal, "sweep.matrix={seed: {from: 2, to: 4, steps: 3}}"); len(got.Runs) != 3 {
		t.Errorf("a range by --set gives %d runs, want 3", len(got.Runs))
	}
}

// What is zipped varies together, faster than the matrix and slower than the seed.
func TestZip(t *testing.T) {
	const text = minimal + `sweep:
  matrix: {scheduler.policy: [best-fit, worst-fit]}
  zip: {instances.max: [8, 9], scheduler.limit: {from: 5Mpps, to: 6Mpps, steps: 2}}
  seeds: 2
`
	want := "policy=best-fit-max=8-limit=5Mpps-seed=1 policy=best-fit-max=8-limit=5Mpps-seed=2 " +
		"policy=best-fit-max=9-limit=6Mpps-seed=1 policy=best-fit-max=9-limit=6Mpps-seed=2 " +
		"policy=worst-fit-max=8-limit=5Mpps-seed=1 policy=worst-fit-max=8-limit=5Mpps-seed=2 " +
		"policy=worst-fit-max=9-limit=6Mpps-seed=1 policy=worst-fit-max=9-limit=6Mpps-seed=2"
	st := parse(t, text)
	if got := strings.Join(namesOfRuns(st), " "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if r := st.Runs[7]; r.Replica != 1 || r.Scenario.Instances.Max != 9 || r.Scenario.Scheduler.Limit != 6e6 {
		t.Errorf("the last run is replica %d with %+v", r.Replica, r.Scenario.Instances)
	}
	st = parse(t, text, "scheduler.limit=7Mpps")
	if r := st.Runs[0]; len(st.Runs) != 8 || r.Scenario.Scheduler.Limit != 7e6 || r.Scenario.Instances.Max != 8 {
		t.Errorf("an override does not fix the key: %v", namesOfRuns(st))
	}
}

// Only runs that meet every condition are left, with the order and the names that they have without it. A run that is
// left out may be one that would be refused.
func TestWhere(t *testing.T) {
	const text = minimal + "sweep: {matrix: {scheduler.policy: [best-fit, maglev, {maglev: {table: 251}}], " +
		"scheduler.limit: [8Mpps, 12Mpps], instances.min: [1, 9]}, where: [instances.min <= instances.max, "
	for _, c := range []struct{ where, want string }{
		{"scheduler.limit > 8Mpps", "policy=best-fit-limit=12Mpps-min=1 policy=maglev-limit=12Mpps-min=1 " +
			"policy=maglev_table_251-limit=12Mpps-min=1"},
		{"scheduler.policy == best-fit", "policy=best-fit-limit=8Mpps-min=1 policy=best-fit-limit=12Mpps-min=1"},
		{"scheduler.policy != maglev or scheduler.limit<8.5Mpps", "policy=best-fit-limit=8Mpps-min=1 " +
			"policy=best-fit-limit=12Mpps-min=1 policy=maglev-limit=8Mpps-min=1 " +
			"policy=maglev_table_251-limit=8Mpps-min=1"},
		{"scheduler.policy.maglev.table < 1000, scheduler.limit >= 12000000pps", // best-fit has no table
			"policy=best-fit-limit=12Mpps-min=1 policy=maglev_table_251-limit=12Mpps-min=1"},
		{"vnf.idle_contend == false, seed != 1", ""},
	} {
		st, err := Parse("t.yaml", []byte(text+c.where+"]}"), "", nil)
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "t.yaml:2:") ||
				!strings.Contains(err.Error(), "conditions that no run meets") {
				t.Errorf("%s: %v", c.where, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.where, err)
		} else if got := strings.Join(namesOfRuns(st), " "); got != c.want {
			t.Errorf("%s: %s\nwant %s", c.where, got, c.want)
		}
	}
}

// Pairs meet the same seeds; without them no seed comes twice.
func TestPair(t *testing.T) {
	const text = minimal + "sweep: {matrix: {scheduler.policy: [best-fit, worst-fit]}, replicas: {max: 3}, pair: "
	for pair, want := range map[string][]uint64{"seed": {1, 2, 3, 1, 2, 3}, "none": {1, 2, 3, 4, 5, 6}} {
		st := parse(t, text+pair+"}")
		for i, r := range st.Runs {
			if r.Scenario.Seed != want[i] || r.Replica != i%3 {
				t.Errorf("pair %s: run %d has seed %d and replica %d, want %d and %d", pair, i, r.Scenario.Seed,
					r.Replica, want[i], i%3)
			}
		}
		want := Replicas{Min: 3, Max: 3, Until: Until{Metric: "processed", Relative: 0.01}}
		if r := st.Replicas; r == nil || *r != want {
			t.Errorf("replicas %+v", r)
		}
	}
}

// What is wrong in a sweep block, and what is said of it.
const sweepMistakes = `
matrix: {scheduler.limit: {from: 8Mpps, to: 9kpps, steps: 2}}
	sweep.matrix.scheduler.limit.to: found "9kpps", expected the unit of from, which is "8Mpps"
matrix: {scheduler.limit: {from: 8Mpps, steps: 2}}
	sweep.matrix.scheduler.limit.to: found nothing
matrix: {seed: {from: x, to: 2, steps: 2}}
	seed.from: found "x", expected a number with or without a unit
matrix: {seed: {from: NaN, to: 2, steps: 2}}
	seed.from: found "NaN", expected a number
matrix: {seed: {from: 1, to: 2, steps: 1}}
	steps: found "1", expected a whole number from 2 to 100000
matrix: {instances.max: {from: 1, to: 2, steps: 3}}
	t.yaml:2:33: instances.max: found "1.5", expected a whole number
zip: {seed: [1, 2], instances.max: [3]}
	t.yaml:2:29: sweep.zip.instances.max: found 1 values, expected 2, as many as seed has
matrix: {nic.rules: [1]}, zip: {nic: [ideal]}
	sweep.zip.nic: found a key that replaces nic.rules of the matrix
matrix: {seed: [1]}, zip: {seed: [2]}
	sweep.zip.seed: found a key that replaces seed of the matrix
zip: {nic.rules: [1], nic: [ideal]}
	sweep.zip.nic: found a key that replaces nic.rules
zip: [1]
	sweep.zip: found a list, expected a mapping
seeds: 3, replicas: {max: 4}
	t.yaml:2:16: sweep.seeds: found "3", expected either seeds or replicas
replicas: {min: 5, max: 4}
	sweep.replicas.min: found 5, expected at most max, which is 4
replicas: {min: 5}
	sweep.replicas.max: found nothing
replicas: {max: 4, until: {relative: 0}}
	relative: found "0", expected a number above 0
pair: seeds
	sweep.pair: found "seeds", expected one of seed, none; did you mean seed?
keep: some
	sweep.keep: found "some", expected one of all, failed, none
where: [1 < 2]
	t.yaml:2:17: sweep.where.0: found the unknown key "1"
where: [scheduler.limt < 2]
	found the unknown key "scheduler.limt", expected a key of a scenario with a single value; did
where: [scheduler < 2]
	found the unknown key "scheduler"
where: [scheduler.limit]
	found "scheduler.limit", expected KEY OPERATOR KEY
where: [{a: b}]
	found a mapping, expected KEY OPERATOR KEY
where: seed
	found "seed", expected a list of conditions
where: [scheduler.limit < 2s]
	found "2s", expected a value as scheduler.limit has it, or another key
where: [scheduler.limit < seed]
	found scheduler.limit and seed, expected two keys of one kind
where: [scheduler.policy < best-fit]
	found "<", expected == or !=, since scheduler.policy is no number
where: [scheduler.policy == bset-fit]
	found "bset-fit", expected scheduler.policy to be one of
where: [scheduler.policy.maglev.tabel > 1]
	found the unknown key "scheduler.policy.maglev.tabel"
where: [seed < 2 or seed.x > 1]
	found the unknown key "seed.x"
where: [workload.0.cbr.flows < 2, workload.x.y < 1]
	sweep.where.1: found the unknown key "workload.x.y"
`

func TestMistakesInASweep(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(sweepMistakes), "\n")
	for i := 0; i < len(lines); i += 2 {
		text, want := lines[i], strings.TrimSpace(lines[i+1])
		_, err := Parse("t.yaml", []byte(minimal+"sweep: {"+text+"}"), "", nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "t.yaml:2:") {
			t.Errorf("%s: %v\nwant %s", text, err, want)
		}
	}
}
