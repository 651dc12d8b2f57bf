package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/doca"
	"github.com/smartinco/smartinco/hw/lab"
	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/sim/contention"
)

func newLab() *cobra.Command {
	return group(&cobra.Command{
		Use:   "lab",
		Short: "A whole testbed on this machine",
		Long: prose(`
Make a testbed of real parts on this Linux machine: an Open vSwitch of its own, a traffic generator, and an image for
instances, in a network namespace of their own. It takes root, Open vSwitch, a Docker Engine and iproute2; see
docs/hardware.md. "lab up" writes a testbed file with which scenarios run there; "lab down" removes all of it, also
after a crash, and touches nothing else.`),
		Example: `  smartinco lab up
  smartinco lab status
  smartinco lab down`,
	}, newLabUp(), newLabDown(), newLabStatus(), newLabCalibrate())
}

// labFlags adds the flags that say which lab is meant.
func labFlags(c *cobra.Command) *lab.Config {
	config := lab.Defaults()
	f := c.Flags()
	f.StringVar(&config.Name, "name", config.Name,
		"name of the lab: several may be up, each with its folder and address")
	f.StringVar(&config.Dir, "dir", config.Dir, "folder for sockets, logs and the testbed file")
	f.StringVar(&config.Listen, "listen", config.Listen, "address of the traffic generator")
	f.StringVar(&config.Docker, "docker", config.Docker,
		"address of the Docker Engine (default DOCKER_HOST, or the local socket)")
	c.PreRunE = func(*cobra.Command, []string) error {
		if err := config.Check(); err != nil {
			return usageError{err}
		}
		return nil
	}
	return &config
}

func newLabUp() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Make the lab, or what is missing of it",
		Example: `  smartinco lab up
  smartinco lab up --work 0s --wait 0s --cpus ''     # as fast as the machine is
  smartinco lab up --runs testpmd                    # of the Debian packages dpdk-dev and librte-net-af-packet23`,
		Args: cobra.NoArgs,
	}
	config := labFlags(c)
	f := c.Flags()
	f.StringVar(&config.Switch, "switch", config.Switch,
		"its switch: ovs, or doca for the stand-in for DOCA Flow, in a program built with it")
	f.IntVar(&config.Ports, "ports", config.Ports, "instances for which there are ports")
	runs := &choice{config.Runs, lab.Programs()}
	f.Var(runs, "runs", "what an instance runs: forward, which sleeps between packets, or testpmd, DPDK's, which polls")
	_ = c.RegisterFlagCompletionFunc("runs", cobra.FixedCompletions(runs.among, cobra.ShellCompDirectiveNoFileComp))
	f.IntVar(&config.Ring, "ring", config.Ring, "slots of an instance's receive ring")
	f.DurationVar(&config.Work, "work", config.Work, "CPU time that a packet costs an instance that runs forward")
	f.DurationVar(&config.Wait, "wait", config.Wait, "other time that a packet costs an instance that runs forward")
	f.StringVar(&config.CPUs, "cpus", config.CPUs, "processors that the instances share; empty for all")
	f.Float64Var(&config.Quota, "quota", 0, "processors' worth of time for each instance; 0 for no limit")
	f.StringVar(&config.Rest, "rest", config.Rest, "processors of switch and generator; empty for all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		config.Runs = runs.value
		if config.Switch == "doca" && !doca.HasStandIn {
			return usagef("--switch doca: this program was built without the stand-in for DOCA Flow; make standin " +
				"builds one with it")
		}
		if err := lab.Up(c.Context(), *config, func(step string) { fmt.Fprintln(c.ErrOrStderr(), step) }); err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), config.Testbed())
		return nil
	}
	return c
}

func newLabDown() *cobra.Command {
	c := &cobra.Command{
		Use:     "down",
		Short:   "Remove the lab, whatever there is of it",
		Example: "  smartinco lab down",
		Args:    cobra.NoArgs,
	}
	config := labFlags(c)
	c.RunE = func(c *cobra.Command, _ []string) error { return lab.Down(c.Context(), *config) }
	return c
}

func newLabStatus() *cobra.Command {
	c := &cobra.Command{
		Use:     "status",
		Short:   "Say which parts of the lab are up",
		Long:    `Say which parts of the lab are up. It exits with 1 when one is not.`,
		Example: "  smartinco lab status",
		Args:    cobra.NoArgs,
	}
	config := labFlags(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		parts, err := lab.Status(c.Context(), *config)
		if err != nil {
			return err
		}
		if *format == "json" {
			err = writeJSON(c.OutOrStdout(), parts)
		} else {
			w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
			for _, p := range parts {
				fmt.Fprintf(w, "%s\t%s\t%s\n", p.Name, map[bool]string{true: "up", false: "down"}[p.Up], p.Detail)
			}
			err = w.Flush()
		}
		for _, p := range parts {
			if err == nil && !p.Up {
				err = errors.New("the lab is not up")
			}
		}
		return err
	}
	return c
}

func newLabCalibrate() *cobra.Command {
	c := &cobra.Command{
		Use:   "calibrate",
		Short: "Measure what instances process, alone and together, for the simulator",
		Long: prose(`
Measure on a testbed - the lab unless another is named - what one instance processes alone and what several do
together, under more load than they can process: real packets, steered to real containers by real rules. Whether they
share what they process together is measured with one instance that needs little (vnf.contention.share). The times that
rules, starts and stops take are measured too. The result is a piece of a scenario, with which the simulator predicts
what the testbed does.

The testbed must not be in use. The eight counts of instances, three rounds each, take about three minutes.`),
		Example: `  smartinco lab calibrate -o calibration.yaml
  smartinco run fig9-best-fit --set @calibration.yaml -o out/predicted
  smartinco lab calibrate --testbed rack.yaml --counts 1,2,4,8 -o rack-calibration.yaml`,
		Args: cobra.NoArgs,
	}
	plan := lab.DefaultPlan()
	f := c.Flags()
	usual := lab.Defaults()
	file := f.String("testbed", usual.Testbed(), "the testbed's file")
	out := f.StringP("output", "o", "calibration.yaml", "file for the piece of a scenario")
	f.IntSliceVar(&plan.Counts, "counts", plan.Counts, "numbers of instances that process at the same time")
	f.IntVar(&plan.Rounds, "rounds", plan.Rounds, "how often each number is measured")
	f.DurationVar(&plan.Measure, "measure", plan.Measure, "how long each time")
	offered := f.String("offered", "", "load on all instances together, such as 20kpps (default six times what one "+
		"processes)")
	c.RunE = func(c *cobra.Command, _ []string) (err error) {
		if *offered != "" {
			if err := plan.Offered.UnmarshalText([]byte(*offered)); err != nil {
				return usagef("--offered: %w", err)
			}
		}
		if err := plan.Check(); err != nil {
			return usageError{err}
		}
		tb, err := testbed.Load(*file)
		if err != nil {
			return err
		}
		release := holds(c.Context(), c.ErrOrStderr())
		defer release()
		m, err := calibrate(c.Context(), tb, plan, func(s string) { fmt.Fprintln(c.ErrOrStderr(), s) })
		release()
		if err != nil {
			return err
		}
		ring := 0
		if d := tb.Containers.Docker; d != nil {
			ring = lab.RingOf(d.Command)
		}
		if err := os.WriteFile(*out, m.Fragment(tb.Name, ring), 0o666); err != nil {
			return err
		}
		w := c.OutOrStdout()
		fmt.Fprint(w, m.Summary())
		if fit, err := contention.Fit(m.Contention()); err != nil {
			fmt.Fprintf(w, "no law was fitted: %v\n", err)
		} else if err := printFit(w, "testbed "+tb.Name, fit); err != nil {
			return err
		}
		switch v, err := m.Shares(); {
		case err != nil:
			fmt.Fprintf(w, "\nno model of shares was chosen: %v\n", err)
		case v != nil:
			if err := printVerdict(w, v); err != nil {
				return err
			}
		}
		if d := m.Disturbed(); len(d) > 0 {
			fmt.Fprintf(w, "\nThe rounds with %v instances differ by more than 10 %%: something else had the "+
				"machine. Better measure again.\n", d)
		}
		fmt.Fprintf(w, "\n%s has the medians as a table\n", *out)
		return nil
	}
	return c
}

// calibrate holds the testbed while it measures.
func calibrate(ctx context.Context, tb *testbed.File, p lab.Plan, say func(string)) (_ *lab.Measurement, err error) {
	unlock, err := tb.Lock()
	if err != nil {
		return nil, err
	}
	defer unlock()
	h, err := tb.Open(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, testbed.Close(h)) }()
	return lab.Calibrate(ctx, h, p, say)
}
