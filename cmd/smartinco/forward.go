package main

import (
	"fmt"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/lab/forwarder"
)

// newForward is the verb that runs in the lab's containers. Their image holds nothing but this program.
func newForward() *cobra.Command {
	var config forwarder.Config
	c := &cobra.Command{
		Use:   "forward",
		Short: "Forward packets from one interface to another (the lab's instance)",
		Long: prose(`
Take each packet that arrives at one interface and send it out of another, at a cost that can be set. This is what
an instance of the lab runs; "` + forwarder.Ready + `" on standard output says that it takes packets.`),
		Example: "  smartinco forward --in in --out out --ring 1024 --work 170us --wait 130us",
		Args:    cobra.NoArgs,
		Hidden:  true,
	}
	f := c.Flags()
	f.StringVar(&config.In, "in", "in", "interface at which packets arrive")
	f.StringVar(&config.Out, "out", "out", "interface from which they leave")
	f.IntVar(&config.Ring, "ring", 1024, "slots of the receive ring")
	f.DurationVar(&config.Work, "work", 0, "CPU time for each packet")
	f.DurationVar(&config.Wait, "wait", 0, "time for each packet that takes no CPU")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := config.Check(); err != nil {
			return usageError{err}
		}
		var counts forwarder.Counts
		err := forwarder.Run(c.Context(), config, c.OutOrStdout(), &counts)
		fmt.Fprintf(c.OutOrStdout(), "forwarder: %d forwarded, %d dropped\n", counts.Forwarded.Load(),
			counts.Dropped.Load())
		return err
	}
	return c
}

// newAwait is the verb that runs first in the lab's containers of another program, which cannot wait for its
// interfaces.
func newAwait() *cobra.Command {
	c := &cobra.Command{
		Use:   "await PROGRAM [ARGUMENT]...",
		Short: "Wait for network interfaces, and run a program (the lab's instance)",
		Long: prose(`
Wait until network interfaces are there and up, and become a program. A container of the lab starts before it has its
interfaces, which not every program can wait for.`),
		Example: "  smartinco await --for in --for out /usr/bin/dpdk-testpmd --no-huge",
		Args:    cobra.MinimumNArgs(1),
		Hidden:  true,
	}
	c.Flags().SetInterspersed(false)
	names := c.Flags().StringArray("for", nil, "an interface; may be repeated")
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := forwarder.Await(c.Context(), *names...); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w", args[0], syscall.Exec(args[0], args, os.Environ()))
	}
	return c
}
