package plots

import (
	"cmp"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
)

// contender is a policy among others, with its runs, which differ in the seed.
type contender struct {
	group
	less bool // than the first, by more than near, under every seed that both have
}

// mayDiffer says in what records may differ that are compared.
const mayDiffer = "scheduler.policy, autoscaler.policy, stack and seed alone"

// contenders are records that may be compared, grouped by all but the seed.
type contenders struct {
	all    []contender // in the order of the keys that tell them apart
	scaled bool        // they differ in the autoscaler
	stacks []string    // that occur, in order of their names; a single empty one where no scenario names one
}

// contend groups runs that are compared. A name says in what a contender differs from others: scheduler, autoscaler and
// stack and, where these are the same, options. If nothing differs, it is what of says.
func contend(ds []data, of func(*data) string) (c *contenders, notes []string, err error) {
	in := keep(ds, &notes, "the run did not reach its end", false, func(d data) bool { return d.run.Complete })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	c = &contenders{}
	gs := bySettings(in)
	settings := make([]map[string]string, len(gs))
	for i, g := range gs {
		settings[i] = settingsOf(g.runs[0].scenario)
		c.all = append(c.all, contender{group: g})
		c.stacks = append(c.stacks, g.runs[0].stack)
	}
	slices.Sort(c.stacks)
	c.stacks = slices.Compact(c.stacks)
	for i := range settings {
		for k := range i {
			if key := unlike(settings[k], settings[i], gs[k].runs[0].stack != gs[i].runs[0].stack); key != "" {
				return nil, nil, chart.Requestf("the records differ in %s, and not in %s", key, mayDiffer)
			}
		}
	}
	scheduled := c.differ((*data).scheduling)
	c.scaled = c.differ((*data).autoscaling)
	for i := range c.all {
		d := &c.all[i].runs[0]
		var parts []string
		for _, p := range []struct {
			says bool
			name string
		}{{scheduled, d.scheduling()}, {c.scaled, d.autoscaling()}, {len(c.stacks) > 1, d.stack}} {
			if p.says {
				parts = append(parts, cmp.Or(p.name, "no stack"))
			}
		}
		if c.all[i].name = strings.Join(parts, ", "); c.all[i].name == "" {
			c.all[i].name = of(d)
		}
	}
	names := make([]string, len(c.all))
	for i := range c.all {
		names[i] = c.all[i].name
	}
	for i := range c.all {
		for k := range c.all {
			if k != i && names[k] == names[i] {
				c.all[i].name += differing(settings[i], settings[k])
			}
		}
	}
	return c, notes, nil
}

func (d *data) scheduling() string  { return d.scheduler }
func (d *data) autoscaling() string { return d.scenario.Autoscaler.Policy.Name }

// differ reports whether contenders of one stack differ in a policy. From stack to stack it may follow from the stack.
func (c *contenders) differ(policy func(*data) string) bool {
	of := map[string]string{}
	for i := range c.all {
		d := &c.all[i].runs[0]
		name := policy(d)
		if other, ok := of[d.stack]; ok && other != name {
			return true
		}
		of[d.stack] = name
	}
	return false
}

// rank puts those of the most throughput first, and says which are less.
func (c *contenders) rank() {
	slices.SortStableFunc(c.all, func(a, b contender) int {
		return cmp.Or(cmp.Compare(b.mean(throughput), a.mean(throughput)), cmp.Compare(a.mean(loss), b.mean(loss)),
			cmp.Compare(a.mean(wait), b.mean(wait)), cmp.Compare(a.name, b.name))
	})
	for i := range c.all {
		c.all[i].less = below(c.all[i].runs, c.all[0].runs)
	}
}

// count takes from their records what the contenders cost.
func (c *contenders) count() error {
	for i := range c.all {
		for k := range c.all[i].runs {
			d := &c.all[i].runs[k]
			var err error
			if d.cost, err = d.costs(); err != nil {
				return err
			}
		}
	}
	return nil
}

// byName puts them in the order of their names, and gives each the look of its autoscaler, or of its own name where the
// autoscalers do not differ.
func (c *contenders) byName() {
	slices.SortStableFunc(c.all, func(a, b contender) int { return cmp.Compare(a.name, b.name) })
	names := make([]string, len(c.all))
	for i := range c.all {
		names[i] = c.all[i].name
		if c.scaled {
			names[i] = c.all[i].runs[0].autoscaling()
		}
	}
	for i, l := range chart.LooksOf(names, "target-utilization", "hottest-instance") {
		c.all[i].look = l
	}
}

func (c *contender) values(m measure) (v sum) {
	for _, d := range c.runs {
		if x, known := m.of(d); known {
			v.add(x)
		}
	}
	return v
}

// mean has the digits that are printed: policies that differ in others are ordered by the next measure.
func (c *contender) mean(m measure) float64 {
	v := c.values(m)
	if v.n == 0 {
		return 0
	}
	return chart.Rounded(v.mean(), 4)
}

// below reports whether runs processed less than others with the same seeds, by more than near, in every pair.
func below(runs, others []data) bool {
	pairs := 0
	for _, a := range runs {
		for _, b := range others {
			if a.run.Seed != b.run.Seed {
				continue
			}
			if pairs++; a.run.Totals.Processed >= (1-near)*b.run.Totals.Processed {
				return false
			}
		}
	}
	return pairs > 0
}

// ofPolicy reports whether a key belongs to a policy: its name, its options, or those that stand beside it and not
// beside every policy.
func ofPolicy(key string) bool {
	for _, of := range []string{"scheduler.policy", "autoscaler.policy", "autoscaler.victim", "stack"} {
		if key == of || strings.HasPrefix(key, of+".") {
			return true
		}
	}
	return false
}

// ofTraffic reports whether a key is the same in all stacks: what is to be done, and not how.
func ofTraffic(key string) bool {
	for _, of := range []string{"workload.", "instances.", "faults.", "scale.", "duration", "vnf.contention."} {
		if strings.HasPrefix(key, of) {
			return true
		}
	}
	return false
}

// unlike is the first key in which two scenarios differ and that is not a policy's or, where their stacks differ, a
// stack's; empty if there is none. Keys of scheduler and autoscaler that only one has are options of policies.
func unlike(a, b map[string]string, stacks bool) (first string) {
	for _, pair := range [2][2]map[string]string{{a, b}, {b, a}} {
		for key, v := range pair[0] {
			w, both := pair[1][key]
			option := !both && (strings.HasPrefix(key, "scheduler.") || strings.HasPrefix(key, "autoscaler."))
			if both && v == w || ofPolicy(key) || option || stacks && !ofTraffic(key) {
				continue
			}
			if first == "" || key < first {
				first = key
			}
		}
	}
	return first
}

// differing names the options in which one policy differs from another of its name: ", table 4093".
func differing(a, b map[string]string) (says string) {
	var keys []string
	for key := range a {
		if a[key] != b[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		says += ", " + key[strings.LastIndexByte(key, '.')+1:] + " " + printed(a[key])
	}
	return says
}
