package compare

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteText writes the comparison for a terminal.
func (c *Comparison) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, x := range []struct {
		name string
		Side
	}{{"A", c.A}, {"B", c.B}} {
		fmt.Fprintf(w, "%s\t%s\t%s, %s/%s, seed %d, %.6g s in windows of %g s\n", x.name, x.Dir, x.Name, x.Plant,
			x.Engine, x.Seed, x.Duration, x.Window)
	}
	w.Flush()
	for _, n := range c.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	fmt.Fprintf(out, "\n%d windows of %g s; errors are of B against A\n\n", c.Windows, c.Window)
	w.Init(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "series\tunit\tmean A\tmean B\tMAE\tWAPE\tMAPE\tcorrelation\t\n")
	for _, s := range c.Series {
		fmt.Fprintf(w, "%s\t%s\t%.6g\t%.6g\t%.4g\t%s\t%s\t%s\t\n", s.Name, s.Unit, s.MeanA, s.MeanB, s.MAE,
			optional(s.WAPE, 2, " %"), optional(s.MAPE, 2, " %"), optional(s.Correlation, 4, ""))
	}
	w.Flush()
	if len(c.Totals) > 0 {
		fmt.Fprintln(out)
		fmt.Fprint(w, "total\tA\tB\tB - A\tof A\t\n")
		for _, t := range c.Totals {
			fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%+.0f\t%s\t\n", t.Name, t.A, t.B, math.Round(t.B-t.A)+0,
				optional(t.Percent, 2, " %"))
		}
		w.Flush()
	}
	if len(c.Costs) > 0 {
		fmt.Fprintln(out)
		fmt.Fprint(w, "cost\tA\tB\tB - A\tof A\t\n")
		for _, t := range c.Costs {
			fmt.Fprintf(w, "%s\t%.6g\t%.6g\t%+.4g\t%s\t\n", t.Name, t.A, t.B, t.B-t.A, optional(t.Percent, 2, " %"))
		}
		w.Flush()
	}
	_, err := fmt.Fprintf(out, "\n%s%s", c.Decisions.Flows.text(), c.Decisions.Scaling.text())
	return err
}

func optional(v *float64, decimals int, unit string) string {
	if v == nil {
		return "-"
	}
	text := strconv.FormatFloat(*v, 'f', decimals, 64)
	if strings.Trim(text, "-0.") == "" {
		text = strings.TrimPrefix(text, "-")
	}
	return text + unit
}

func (p *Placements) text() string {
	s := fmt.Sprintf("flows: %d in both, %d of them decided otherwise; %d only in A, %d only in B\n", p.Both, p.Other,
		p.OnlyA, p.OnlyB)
	if p.First != nil {
		s += fmt.Sprintf("  first: %s\n    A %v\n    B %v\n", p.First.Tuple, &p.First.A, &p.First.B)
	}
	return s
}

func (x *Decision) String() string {
	if x == nil {
		return "nothing more"
	}
	s := fmt.Sprintf("at %.6g s: %s", x.At, x.Kind)
	if x.Instance > 0 {
		s += fmt.Sprintf(" instance %d", x.Instance)
	}
	if x.Policy != "" {
		s += ", " + x.Policy
	}
	if x.Reason != "" {
		s += " (" + x.Reason + ")"
	}
	return s
}

func (g *Scaling) text() string {
	s := fmt.Sprintf("scaling: %d steps in A, %d in B; ", g.StepsA, g.StepsB)
	if g.A == nil && g.B == nil {
		s += "all the same"
	} else {
		s += fmt.Sprintf("the first %d are the same", g.Same)
	}
	if g.Same > 0 {
		s += fmt.Sprintf(", %.3g s apart in the mean", g.Shift)
	}
	if s += "\n"; g.A != nil || g.B != nil {
		s += fmt.Sprintf("  then:\n    A %v\n    B %v\n", g.A, g.B)
	}
	return s
}
