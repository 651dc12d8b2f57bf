package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
	"github.com/smartinco/smartinco/units"
)

func newReplay() *cobra.Command {
	c := &cobra.Command{
		Use:   "replay SCENARIO --testbed FILE",
		Short: "Run a scenario on hardware and write its record",
		Long: prose(`
Run a scenario - a file, or the name of one that is built in - on the hardware that a testbed file names: a switch, a
container engine and a traffic generator. The record is that of a simulation, with plant: hw. Rates and times are
multiplied by the testbed's scale first; the record holds the scenario that ran, and its scale.

What an earlier run left on the testbed, because it was killed, is removed first. An interrupt ends the run in good
order: traffic stopped, rules and containers removed, the record readable and said to be incomplete.`),
		Example: `  smartinco replay fig9-best-fit --testbed rack.yaml -o out/best-fit
  smartinco replay mine.yaml --testbed rack.yaml --set scheduler.policy=worst-fit --metrics 127.0.0.1:9108`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeScenario,
	}
	file := testbedFlag(c)
	out := c.Flags().StringP("out", "o", "", "directory of the record (out/NAME)")
	force := c.Flags().BoolP("force", "f", false, "replace the record that the directory holds")
	metrics := metricsFlag(c)
	sets := setFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		st, err := scenarios.Load(args[0], *sets)
		if err != nil {
			return err
		}
		if len(st.Runs) != 1 {
			return usagef("%s is a study of %d runs: want one of them, by --set", args[0], len(st.Runs))
		}
		tb, err := loadTestbed(*file)
		if err != nil {
			return err
		}
		sc, err := study.Scaled(st.Runs[0].Scenario, tb)
		if err != nil {
			return err
		}
		if *out == "" {
			*out = filepath.Join("out", st.Runs[0].Name)
		}
		o := study.ReplayOptions{Options: study.Options{Version: version, Overwrite: *force}}
		var stop func()
		if o.Metrics, stop, err = serveMetrics(c, *metrics); err != nil {
			return err
		}
		defer stop()
		var line *progress
		o.Progress = func(now, end units.Time) {
			if line == nil {
				line = newProgress(c.ErrOrStderr(), "seconds", end.Seconds())
			}
			line.at(now.Seconds())
		}
		said := map[string]bool{}
		o.Say = func(s string) {
			line.end()
			fmt.Fprintln(c.ErrOrStderr(), s)
			said[s] = true
		}
		defer holds(c.Context(), c.ErrOrStderr())()
		run, err := study.Replay(c.Context(), sc, tb, *out, o)
		line.end()
		if err != nil && c.Context().Err() != nil && run != nil {
			return fmt.Errorf("%w; %s holds the record up to there, and replay --force begins again", err, *out)
		}
		if err != nil {
			return err
		}
		if *format == "json" {
			return writeJSON(c.OutOrStdout(), run)
		}
		return printReplay(c, *out, run, said)
	}
	return c
}

// printReplay prints what a record says of its run, without the notes that were printed during the run.
func printReplay(c *cobra.Command, dir string, run *results.Run, said map[string]bool) error {
	if err := printRun(c.OutOrStdout(), dir, run); err != nil {
		return err
	}
	fmt.Fprintln(c.OutOrStdout())
	for _, n := range run.Notes {
		if !said[n] {
			fmt.Fprintln(c.OutOrStdout(), n)
		}
	}
	if k := &run.Conservation; !k.Holds {
		fmt.Fprintf(c.OutOrStdout(), "the counters contradict each other: %.0f packets too many at %s\n", k.Worst,
			k.Where)
	}
	return nil
}

func testbedFlag(c *cobra.Command) *string {
	return c.Flags().StringP("testbed", "t", "", "testbed file (see docs/testbed.md)")
}

func loadTestbed(file string) (*testbed.File, error) {
	if file == "" {
		return nil, usagef("--testbed is missing: want the file that says which hardware to use")
	}
	return testbed.Load(file)
}

func metricsFlag(c *cobra.Command) *string {
	return c.Flags().String("metrics", "",
		"serve metrics for Prometheus at this address while it runs; without a host, on the loopback interface")
}

// serveMetrics serves metrics until stop is called. Without an address there is nothing to serve.
func serveMetrics(c *cobra.Command, address string) (m *replay.Metrics, stop func(), err error) {
	if address == "" {
		return nil, func() {}, nil
	}
	l, err := listenTCP("--metrics", address)
	if err != nil {
		return nil, nil, err
	}
	m = replay.NewMetrics()
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	s := metricsServer(mux)
	go func() { _ = s.Serve(limited(l, maxScrapers)) }() // until Close
	fmt.Fprintf(c.ErrOrStderr(), "metrics at http://%s/metrics\n", l.Addr())
	return m, func() { _ = s.Close() }, nil
}

// maxScrapers is how many connections the metrics are served on at a time.
const maxScrapers = 32

// metricsServer drops slow clients, so that nobody holds a connection that others wait for.
func metricsServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 5 * time.Second,
		WriteTimeout: 10 * time.Second,
		IdleTimeout:  30 * time.Second, MaxHeaderBytes: 16 << 10}
}

// limited is a listener with at most n open connections. Others wait to be accepted.
func limited(l net.Listener, n int) net.Listener { return &limit{l, make(chan struct{}, n)} }

type limit struct {
	net.Listener
	open chan struct{}
}

func (l *limit) Accept() (net.Conn, error) {
	l.open <- struct{}{}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.open
		return nil, err
	}
	return &limitedConn{Conn: c, done: sync.OnceFunc(func() { <-l.open })}, nil
}

type limitedConn struct {
	net.Conn
	done func()
}

func (c *limitedConn) Close() error {
	defer c.done()
	return c.Conn.Close()
}

func newHW() *cobra.Command {
	return group(&cobra.Command{
		Use:     "hw",
		Short:   "Check a testbed, clear it of what a killed run left, and compare the drivers of switches",
		Example: `  smartinco hw doctor --testbed rack.yaml`,
	}, newDoctor(), newClean(), newDrivers())
}

// errUnwell is the doctor's error when something was found.
var errUnwell = errors.New("the testbed is not fit for a run")

func newDoctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor --testbed FILE",
		Short: "Check a testbed step by step, and say how to mend what is wrong",
		Long: prose(`
Check what a run needs, step by step: that switch, container engine and generator can be reached and by whom, their
versions, ports, image and huge pages. An instance is started and stopped, and the switch is opened as a run opens it;
all of that is undone. It exits with 1 if anything is wrong.`),
		Example: `  smartinco hw doctor --testbed rack.yaml`,
		Args:    cobra.NoArgs,
	}
	file := testbedFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		tb, err := loadTestbed(*file)
		if err != nil {
			return err
		}
		defer holds(c.Context(), c.ErrOrStderr())()
		var all []testbed.Finding
		well := tb.Doctor(c.Context(), func(f testbed.Finding) {
			all = append(all, f)
			switch {
			case *format == "json":
			case f.Err == "":
				fmt.Fprintf(c.OutOrStdout(), "ok    %s: %s\n", f.What, f.Said)
			default:
				fmt.Fprintf(c.OutOrStdout(), "FAIL  %s: %s\n      %s\n", f.What, f.Err, f.Mend)
			}
		})
		if *format == "json" {
			if err := writeJSON(c.OutOrStdout(), all); err != nil {
				return err
			}
		}
		if !well {
			return errUnwell
		}
		return nil
	}
	return c
}

func newClean() *cobra.Command {
	c := &cobra.Command{
		Use:   "clean --testbed FILE",
		Short: "Stop the traffic and remove the rules and containers that a killed run left on a testbed",
		Long: prose(`
Stop the traffic and remove the rules and containers that a killed run left on a testbed. The next run on it does the
same; this is for those who do not plan one. Nothing of anybody else is touched. What cannot be reached - a switch that
is down - keeps it from nothing else: it says what is left, and exits with 1.`),
		Example: `  smartinco hw clean --testbed rack.yaml`,
		Args:    cobra.NoArgs,
	}
	file := testbedFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		tb, err := loadTestbed(*file)
		if err != nil {
			return err
		}
		defer holds(c.Context(), c.ErrOrStderr())()
		unlock, err := tb.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
		defer cancel()
		done, err := tb.Clean(ctx)
		fmt.Fprintf(c.OutOrStdout(), "removed %v\n", done.Found)
		if done.Generator != "" {
			fmt.Fprintf(c.OutOrStdout(), "generator: %s\n", done.Generator)
		}
		return err
	}
	return c
}
