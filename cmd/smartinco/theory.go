package main

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/cmd/smartinco/internal/theory"
)

// errTheory is the failure of a simulator that theory contradicts.
var errTheory = errors.New("the simulator and theory differ")

func newTheory() *cobra.Command {
	c := &cobra.Command{
		Use:   "theory",
		Short: "Hold the simulator against queueing theory and published packet counts",
		Long: prose(`
Run scenarios of which queueing theory knows the loss and the waits, and the common work on which eight other packet
simulators agree to the packet. Each closed form must lie within the confidence interval of what the runs say, which is
printed behind the mean; the rows together have a confidence of 99 %, by Bonferroni's correction. Packet counts must be
equal. Times are in mean service times. It exits with 1 when a row differs, when packets are not conserved or Little's
law does not hold in a run. The seeds are fixed, so that the same program prints the same table every time.`),
		Example: `  smartinco theory
  smartinco theory --runs 5 --packets 100000`,
		Args: cobra.NoArgs,
	}
	o := theory.Options{}
	c.Flags().IntVar(&o.Runs, "runs", 20, "runs of each system, each with a seed of its own")
	c.Flags().IntVar(&o.Packets, "packets", 1_000_000, "packets of each run")
	c.Flags().IntVarP(&o.Jobs, "jobs", "j", runtime.NumCPU(), "runs at a time")
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		switch {
		case o.Runs < 5:
			return usagef("--runs is %d: want at least 5, for an interval that says something", o.Runs)
		case o.Packets < 10_000 || o.Packets > 100_000_000:
			return usagef("--packets is %d: want 10000 to 100000000", o.Packets)
		case o.Jobs < 1:
			return usagef("--jobs is %d: want at least 1", o.Jobs)
		}
		line := newProgress(c.ErrOrStderr(), "runs", float64(theory.Runs(o)))
		o.Progress = line.at
		rows, err := theory.Check(c.Context(), o)
		line.end()
		if err != nil {
			return err
		}
		if *format == "json" {
			err = writeJSON(c.OutOrStdout(), rows)
		} else {
			err = printTheory(c.OutOrStdout(), rows)
		}
		if err != nil {
			return err
		}
		differ := 0
		for _, r := range rows {
			if !r.Agrees {
				differ++
			}
		}
		if differ > 0 {
			return fmt.Errorf("%w in %d of %d rows", errTheory, differ, len(rows))
		}
		return nil
	}
	return c
}

func printTheory(out io.Writer, rows []theory.Row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "system\tquantity\ttheory\tsimulated\tinterval\tverdict")
	for _, r := range rows {
		verdict := "agrees"
		if !r.Agrees {
			verdict = "DIFFERS"
		}
		if r.Exact {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\texact\t%s\n", r.System, r.Quantity, plain(r.Theory), plain(r.Mean), verdict)
		} else {
			fmt.Fprintf(w, "%s\t%s\t%.5f\t%.5f\t± %.5f\t%s\n", r.System, r.Quantity, r.Theory, r.Mean, r.Half, verdict)
		}
	}
	return w.Flush()
}

// plain is a number with all its digits and no exponent.
func plain(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
