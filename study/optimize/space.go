package optimize

import (
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/numeric"
)

// space is what is varied, in the order of the file.
type space struct {
	axes   []axis
	lists  []int // of the axes, those that have a list of values
	ranges []int // and those that have a range
}

// axis is a key that is varied: over a list, or from one end of a range to the other.
type axis struct {
	key    string
	values []value
	span   *span
	under  int    // the list that decides whether the key is there: it is the option of one of its values; -1 for none
	option string // and the name of that value
}

// value is one of a list.
type value struct {
	text string // as --set takes it
	name string // of a policy with or without options; the text otherwise
}

// span is a range.
type span struct {
	from, to   float64
	unit       string
	log, whole bool
}

// Setting is a key and its value.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

func newSpace(axes []axis) *space {
	s := &space{axes: axes}
	for i := range axes {
		a := &axes[i]
		a.under = -1
		for k, l := range s.lists {
			below, is := strings.CutPrefix(a.key, axes[l].key+".")
			name, _, _ := strings.Cut(below, ".")
			named := func(v value) bool { return v.name == name }
			if is && slices.ContainsFunc(axes[l].values, named) {
				a.under, a.option = k, name
			}
		}
		if a.span != nil {
			s.ranges = append(s.ranges, i)
		} else {
			s.lists = append(s.lists, i)
		}
	}
	return s
}

// has says whether the combination has the key of an axis.
func (s *space) has(pick []int, a *axis) bool {
	if a.under < 0 {
		return true
	}
	at := pick[a.under]
	return at >= 0 && s.axes[s.lists[a.under]].values[at].name == a.option
}

// mostCombinations bounds the combinations of lists.
const mostCombinations = 10_000

// combinations are all ways to pick a value of each list; the last list varies fastest. There are at most
// mostCombinations and one more.
func (s *space) combinations() [][]int {
	all := [][]int{{}}
	for _, l := range s.lists {
		var next [][]int
		for _, pick := range all {
			if !s.has(pick, &s.axes[l]) {
				next = append(next, append(slices.Clone(pick), -1))
				continue
			}
			for v := range s.axes[l].values {
				if next = append(next, append(slices.Clone(pick), v)); len(next) > mostCombinations {
					break
				}
			}
		}
		all = next[:min(len(next), mostCombinations+1)]
	}
	return all
}

// rangesOf are the ranges that a combination has.
func (s *space) rangesOf(pick []int) (ranges []int) {
	for k, i := range s.ranges {
		if s.has(pick, &s.axes[i]) {
			ranges = append(ranges, k)
		}
	}
	return ranges
}

// settings is a point as the values of its keys.
func (s *space) settings(p *point) (all []Setting) {
	list, at := 0, 0
	for i := range s.axes {
		a := &s.axes[i]
		here := s.has(p.pick, a)
		if a.span != nil {
			if here {
				all = append(all, Setting{a.key, a.span.text(p.at[at])})
			}
			at++
			continue
		}
		if here {
			all = append(all, Setting{a.key, a.values[p.pick[list]].text})
		}
		list++
	}
	return all
}

// key is equal for points of equal settings.
func (s *space) key(p *point) string {
	var b strings.Builder
	for _, set := range s.settings(p) {
		b.WriteString(set.Key + "=" + set.Value + "\n")
	}
	return b.String()
}

// text is the value at a position from 0 to 1, to six digits.
func (s *span) text(at float64) string {
	x := s.from + float64((s.to-s.from)*at)
	switch {
	case s.log:
		x = s.from * numeric.Exp(at*numeric.Log(s.to/s.from))
	case s.whole: // all whole numbers have equal parts
		x = s.from - 0.5 + float64((s.to-s.from+1)*at)
	}
	if s.whole {
		return strconv.FormatInt(int64(min(max(round(x), s.from), s.to)), 10) + s.unit
	}
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 6, 64), 64)
	return strconv.FormatFloat(min(max(x, s.from), s.to), 'f', -1, 64) + s.unit
}

// round is the nearest whole number, the upper one of two.
func round(x float64) float64 {
	n := float64(int64(x))
	switch {
	case x-n >= 0.5:
		return n + 1
	case x-n < -0.5:
		return n - 1
	}
	return n
}

// listed are the values that a combination picks.
func (s *space) listed(pick []int) (all []Setting) {
	for k, l := range s.lists {
		if pick[k] >= 0 {
			all = append(all, Setting{s.axes[l].key, s.axes[l].values[pick[k]].text})
		}
	}
	return all
}
