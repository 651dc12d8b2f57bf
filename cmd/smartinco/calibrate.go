package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/floats"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/sim/contention/evidence"
	"github.com/smartinco/smartinco/units"
)

func newCalibrate() *cobra.Command {
	c := &cobra.Command{
		Use:   "calibrate FILE | DIR...",
		Short: "Fit the contention law to measured points or records, and judge the models of shares",
		Long: `Fit the Universal Scalability Law to measurements of what each of n instances processes, and print its
parameters with 95 % confidence intervals, the residuals, and the line to paste into a scenario.

FILE holds CSV lines n,rate[,weight], or, when its name ends in .yaml, a mapping {1: 25Mpps, 4: 10.5Mpps, ...}.
- reads CSV from standard input. Points at three different n are the least.

Instead of FILE, directories of records, simulated or measured: of runs in which all instances are saturated (scenario
fig7) for the law, and of such in which some are not (scenario share) for the shares. The prediction of reserved and of
pooled shares is held against what the saturated instances processed; the evidence is a likelihood ratio in decibans.
Three records or more of a situation are its repetitions. Fewer show the spread within a run alone, which a note says.`,
		Example: `  smartinco calibrate points.csv
  smartinco calibrate points.yaml --format json
  smartinco calibrate out/share out/all out/fig7
  printf '1,25Mpps\n4,10.5Mpps\n8,5.25Mpps\n' | smartinco calibrate -`,
		Args: cobra.MinimumNArgs(1),
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		if info, err := os.Stat(args[0]); len(args) > 1 || err == nil && info.IsDir() {
			return judgeRecords(c, args, *format)
		}
		in, name := c.InOrStdin(), "standard input"
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			in, name = f, args[0]
		}
		points, err := contention.Parse(name, in)
		if err != nil {
			return usageError{err}
		}
		fit, err := contention.Fit(points)
		if err != nil {
			return usagef("%s: %w", name, err)
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), fit)
		}
		return printFit(c.OutOrStdout(), name, fit)
	}
	return c
}

// judgeRecords calibrates from records.
func judgeRecords(c *cobra.Command, dirs []string, format string) error {
	recs, err := results.OpenAll(c.Context(), dirs...)
	if err != nil {
		return err
	}
	if err := eachOnce(recs); err != nil {
		return err
	}
	e, err := evidence.Read(c.Context(), recs)
	if errors.Is(err, evidence.ErrNone) {
		return usageError{err}
	}
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	if format == "json" {
		return writeJSON(out, e)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "saturated\teach processes\t95 % from\tto\trecords\trepetitions")
	for _, p := range e.Capacities {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\n", p.N, rate(p.Mean), rate(p.Low), rate(p.High), p.Records, p.Count)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if e.Law != nil {
		fmt.Fprintln(out)
		if err := printFit(out, "records", e.Law); err != nil {
			return err
		}
	}
	for _, v := range e.Shares {
		if err := printVerdict(out, v); err != nil {
			return err
		}
	}
	for _, n := range e.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	return nil
}

// eachOnce refuses a record that is there twice, whatever it is called.
func eachOnce(recs []*results.Record) error {
	seen := map[string]bool{}
	for _, r := range recs {
		dir, err := filepath.EvalSymlinks(r.Dir)
		if err != nil {
			return err
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return err
		}
		if seen[dir] {
			return usagef("%s: found it twice, and it is evidence once: want each record once", r.Dir)
		}
		seen[dir] = true
	}
	return nil
}

func printVerdict(out io.Writer, v *contention.Verdict) error {
	low, high := v.Each.Interval()
	fmt.Fprintf(out, "\n%d instances, %d of them saturated, the others offered %s together:\n", v.N(), v.Hungry,
		rate(floats.Sum(v.Demands)))
	fmt.Fprintf(out, "each of the %d processes %s (95 %% from %s to %s, %d repetitions)\n", v.Hungry, rate(v.Each.Mean),
		rate(low), rate(high), v.Each.Count)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "share\tpredicted\tmeasured is\tin standard errors")
	for _, p := range v.Predictions {
		errs := "-"
		if p.Errors != nil {
			errs = strconv.FormatFloat(*p.Errors, 'f', 1, 64)
		}
		fmt.Fprintf(w, "%s\t%s\t%+.2f %%\t%s\n", p.Share, rate(p.Rate), math.Round(1e4*p.Off)/100+0, errs)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	evidence := ""
	if v.Decibans != nil {
		evidence = fmt.Sprintf(" (%+.1f decibans for pooled)", *v.Decibans)
	}
	_, err := fmt.Fprintf(out, "verdict: %s; %s%s\n", v.Outcome, v.Strength, evidence)
	for _, n := range v.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	return err
}

func printFit(out io.Writer, name string, fit *contention.Fitted) error {
	fmt.Fprintf(out, "Universal Scalability Law, fitted to %d points of %s\n\n", len(fit.Residuals), name)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "parameter\tvalue\t95 % from\tto")
	number := func(parameter string, v *float64) string {
		switch {
		case v == nil:
			return "-"
		case parameter == "lambda":
			return rate(*v)
		}
		return strconv.FormatFloat(*v, 'g', 5, 64)
	}
	for _, p := range fit.Parameters {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.Name, number(p.Name, &p.Value), number(p.Name, p.Low),
			number(p.Name, p.High))
	}
	fmt.Fprintln(w, "\nn\tmeasured\tfitted\tresidual")
	for _, r := range fit.Residuals {
		fmt.Fprintf(w, "%d\t%s\t%s\t%+.2f %%\n", r.N, rate(r.Measured), rate(r.Fitted),
			math.Round(1e4*r.Relative)/100+0)
	}
	w.Flush()
	fmt.Fprintf(out, "\nroot mean square residual %s, R² %.6f, %d degrees of freedom\n", rate(math.Round(fit.RMS)),
		fit.R2, fit.Freedom)
	for _, n := range fit.Notes {
		fmt.Fprintf(out, "note: %s\n", n)
	}
	_, err := fmt.Fprintf(out, "\ncontention: {model: usl, lambda: %s, sigma: %.5g, kappa: %.5g}\n",
		rate(fit.Law.Lambda), fit.Law.Sigma, fit.Law.Kappa)
	return err
}

// rate prints packets per second with five digits.
func rate(pps float64) string {
	v, err := strconv.ParseFloat(strconv.FormatFloat(pps, 'g', 5, 64), 64)
	if err != nil {
		return units.PPS(pps).String()
	}
	return units.PPS(v).String()
}
