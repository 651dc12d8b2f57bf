package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
)

const traceFormats = `
The file's ending decides what is written: .pcapng is a packet capture, .pcap one in the older format, which is the only
one that TRex reads and has times in microseconds, .csv a flow CSV with a line for each flow and direction, and .gz
after any of them compresses it. The file appears when it is complete; one that is there stays as it is unless --force
is given.`

func newTraceGenerate() *cobra.Command {
	c := &cobra.Command{
		Use:   "generate [SCENARIO] -o FILE",
		Short: "Write the traffic of a flow model or a scenario as a capture or a flow file",
		Long: prose(`
Write the traffic of a scenario - its workload, up to its duration - so that TRex, tcpreplay or another simulator can
play it. --model takes the place of a scenario: the keys of a workload's model, as smartinco scenario reference explains
them.
` + traceFormats + `

The frames of a capture have valid headers and checksums, and zeros as payload. They lack the check sequence, as in any
capture: a frame of 64 B takes 60 B in the file, and is 64 B again on the wire.`),
		Example: `  smartinco trace generate --model 'name: agh-2015, rate: 1000' --set duration=10s -o campus.pcapng
  smartinco trace generate --model 'name: trex, file: sfr.yaml' --set duration=1s -o mix.pcapng.gz
  smartinco trace generate fig9-best-fit --set duration=41s --set workload.0.cbr.total=1Mbps -o staircase.csv`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeScenario,
	}
	model := c.Flags().String("model", "", "keys of a flow model, in YAML: 'name: agh-2015, rate: 1000'")
	sets := setFlag(c)
	out, force := outFlags(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		var st *scenarios.Study
		var err error
		switch {
		case *out == "":
			return usagef("no file to write: want -o FILE")
		case (*model != "") == (len(args) > 0):
			return usagef("%d scenarios and a model %q, want one of the two", len(args), *model)
		case *model != "":
			st, err = scenarios.Parse("--model", fmt.Appendf(nil, "workload: [{model: {\n%s\n}}]\n", *model), ".",
				*sets)
		default:
			st, err = scenarios.Load(args[0], *sets)
		}
		if err != nil {
			return err
		}
		if len(st.Runs) != 1 {
			return usagef("%s is a study of %d runs: want a single scenario", args[0], len(st.Runs))
		}
		s, err := st.Runs[0].Scenario.StreamContext(c.Context())
		if err != nil {
			return unreadable(c, err)
		}
		capture := func(f traces.CaptureFormat) writeFunc {
			return func(ctx context.Context, w io.Writer, p traces.Progress) (traces.Written, error) {
				return s.WriteCapture(ctx, w, f, p)
			}
		}
		return writeTrace(c, *out, *force, "seconds of traffic", capture, s.WriteFlows)
	}
	return c
}

func newTraceConvert() *cobra.Command {
	c := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write recorded traffic in another format",
		Long: prose(`
Write recorded traffic in another format. IN is a packet capture (pcap, pcapng), Zeek's conn.log, the CSV of nfdump or
CICFlowMeter, or a flow CSV, packed with gzip or zstd or not; its content decides, not its name.
` + traceFormats + `

The frames of a capture are copied; the records of a flow log are played at an even pace, as frames with zeros as
payload. A flow CSV keeps the bytes that the source counts, and says in the name of its last column which they are.`),
		Example: `  smartinco trace convert conn.log.gz flows.csv
  smartinco trace convert nfdump.csv office.pcapng
  smartinco trace convert capture.pcap flows.csv.gz --force`,
		Args: cobra.ExactArgs(2),
	}
	force := c.Flags().BoolP("force", "f", false, "replace the file that is there")
	tunnel := tunnelFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		blame := func(ctx context.Context, done traces.Written, err error) (traces.Written, error) {
			if err != nil {
				err = unreadable(c, err)
			}
			return done, err
		}
		capture := func(f traces.CaptureFormat) writeFunc {
			return func(ctx context.Context, w io.Writer, p traces.Progress) (traces.Written, error) {
				if *tunnel != "none" {
					return traces.Written{},
						usagef("--tunnel %s and a capture to write: the frames of a capture are copied as they are, "+
							"want a .csv", *tunnel)
				}
				done, err := traces.ConvertToCapture(ctx, args[0], w, f, p)
				return blame(ctx, done, err)
			}
		}
		flows := func(ctx context.Context, w io.Writer, p traces.Progress) (traces.Written, error) {
			done, err := traces.ConvertToFlows(ctx, args[0], traces.Options{Inner: *tunnel == "inner"}, w, p)
			return blame(ctx, done, err)
		}
		return writeTrace(c, args[1], *force, "bytes read", capture, flows)
	}
	return c
}

func outFlags(c *cobra.Command) (out *string, force *bool) {
	return c.Flags().StringP("out", "o", "", "file to write: .pcapng, .pcap or .csv, with or without .gz"),
		c.Flags().BoolP("force", "f", false, "replace the file that is there")
}

type writeFunc func(context.Context, io.Writer, traces.Progress) (traces.Written, error)

// writeTrace writes a capture or a flow file, as its name says, and tells what is in it.
func writeTrace(
	c *cobra.Command, path string, force bool, unit string,
	capture func(traces.CaptureFormat) writeFunc, flows writeFunc,
) error {
	name, zipped := strings.CutSuffix(path, ".gz")
	write := map[string]writeFunc{".pcapng": capture(traces.PCAPNG), ".pcap": capture(traces.PCAP),
		".csv": flows}[filepath.Ext(name)]
	if write == nil {
		return usagef("%s: do not know this ending: want .pcapng, .pcap or .csv, with or without .gz", path)
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return usagef("%s is there already: want another name, or --force to replace it", path)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var line *progress
	var done traces.Written
	err := results.WriteFile(path, func(w io.Writer) (err error) {
		var z *gzip.Writer
		if zipped {
			z, _ = gzip.NewWriterLevel(w, gzip.BestSpeed)
			w = z
		}
		done, err = write(c.Context(), w, func(at, total float64) {
			if line == nil {
				line = newProgress(c.ErrOrStderr(), unit, total)
			}
			line.at(at)
		})
		if err == nil && z != nil {
			err = z.Close()
		}
		return err
	})
	line.end()
	if err != nil {
		return err
	}
	for _, n := range done.Notes {
		fmt.Fprintf(c.ErrOrStderr(), "note: %d %s\n", n.N, n.Reason)
	}
	_, err = fmt.Fprintf(c.OutOrStdout(), "%s: %v\n", path, done)
	return err
}
