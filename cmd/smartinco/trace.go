package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/traces"
)

func newTrace() *cobra.Command {
	return group(&cobra.Command{
		Use:   "trace",
		Short: "Look into, make and convert traffic",
		Example: `  smartinco trace inspect capture.pcap.gz
  smartinco trace generate --model 'name: agh-2015, rate: 1000' --set duration=10s -o campus.pcapng
  smartinco trace convert conn.log flows.csv`,
	}, newTraceInspect(), newTraceGenerate(), newTraceConvert())
}

func newTraceInspect() *cobra.Command {
	c := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Say what is in a packet capture or a flow log",
		Long: prose(`
Say what is in a packet capture (pcap, pcapng) or a flow log (Zeek's conn.log, the CSV of nfdump or CICFlowMeter, the
flow CSV of trace generate and convert), packed with gzip or zstd or not: packets, flows, duration, sizes, rates, peaks
and, at ten scales from the mean time between two packets to a tenth of the length, the index of dispersion for counts:
the variance of the packets in a window over their mean, 1 if they come at random, and more if in bursts. Where a
Poisson process of two states (MMPP-2) fits, it is printed as keys of a workload of requests. What is peculiar is
counted in notes. With -o, draw the rate over time, in the format that the file's ending names: .pdf, .svg, .png or
.tex.`),
		Example: `  smartinco trace inspect capture.pcap.gz
  smartinco trace inspect capture.pcap.gz -o rate.pdf
  smartinco trace inspect conn.log --format json`,
		Args: cobra.ExactArgs(1),
	}
	out := c.Flags().StringP("out", "o", "", "file of the picture of the rate over time")
	format := formatFlag(c, "text", "json")
	tunnel := tunnelFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := traces.Inspect(args[0], traces.Options{Inner: *tunnel == "inner", Context: c.Context()})
		if err != nil {
			return unreadable(c, err)
		}
		if *out != "" {
			if err := drawTrace(s, *out); err != nil {
				return err
			}
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), s)
		}
		_, err = fmt.Fprint(c.OutOrStdout(), s)
		return err
	}
	return c
}

// tunnelFlag adds --tunnel, which stands for the scenario key of that name.
func tunnelFlag(c *cobra.Command) *string {
	f := &choice{"none", []string{"none", "inner"}}
	c.Flags().Var(f, "tunnel", "whose addresses make the flow of a packet in a VXLAN or GTP-U tunnel: none is the "+
		"tunnel's, inner those inside")
	_ = c.RegisterFlagCompletionFunc("tunnel", cobra.FixedCompletions(f.among, cobra.ShellCompDirectiveNoFileComp))
	return &f.value
}

// unreadable makes an error the user's mistake if a file exists but does not hold traffic.
func unreadable(c *cobra.Command, err error) error {
	var path *fs.PathError
	if !errors.As(err, &path) && c.Context().Err() == nil {
		err = usageError{err}
	}
	return err
}

func drawTrace(s *traces.Summary, path string) error {
	rate := plots.Series{Name: "mean of a bin of " + s.Series.Bin.String(), Step: true}
	for i, pps := range s.Series.PPS {
		rate.X = append(rate.X, float64(i)*s.Series.Bin.Seconds())
		rate.Y = append(rate.Y, pps)
	}
	fig, err := plots.TimeSeries(s.File, "Time (s)", "Packet rate (packets/s)", plots.Options{}, rate)
	if err != nil {
		return err
	}
	return fig.Save(path)
}
