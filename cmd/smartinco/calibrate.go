package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/units"
)

func newCalibrate() *cobra.Command {
	c := &cobra.Command{
		Use:   "calibrate FILE",
		Short: "Fit the contention law to measured points",
		Long: `Fit the Universal Scalability Law to measurements of what each of n instances processes, and print its
parameters with 95 % confidence intervals, the residuals, and the line to paste into a scenario.

FILE holds CSV lines n,rate[,weight], or, when its name ends in .yaml, a mapping {1: 25Mpps, 4: 10.5Mpps, ...}.
- reads CSV from standard input. Points at three different n are the least.`,
		Example: `  smartinco calibrate points.csv
  smartinco calibrate points.yaml --format json
  printf '1,25Mpps\n4,10.5Mpps\n8,5.25Mpps\n' | smartinco calibrate -`,
		Args: cobra.ExactArgs(1),
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
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
