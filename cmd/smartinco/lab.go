package main

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/lab"
)

func newLab() *cobra.Command {
	return group(&cobra.Command{
		Use:   "lab",
		Short: "A whole testbed on this machine",
		Long: `Make a testbed of real parts on this Linux machine: an Open vSwitch of its own, a traffic generator, and an image for
instances, in a network namespace of their own. It takes root, Open vSwitch, a Docker Engine and iproute2; see
docs/hardware.md. "lab up" writes a testbed file with which scenarios run there; "lab down" removes all of it, also
after a crash, and touches nothing else.`,
		Example: `  smartinco lab up
  smartinco lab status
  smartinco lab down`,
	}, newLabUp(), newLabDown(), newLabStatus())
}

// labFlags adds the flags that say which lab is meant.
func labFlags(c *cobra.Command) *lab.Config {
	config := lab.Defaults()
	f := c.Flags()
	f.StringVar(&config.Name, "name", config.Name, "name of the lab: several may be up, each with its folder and address")
	f.StringVar(&config.Dir, "dir", config.Dir, "folder for sockets, logs and the testbed file")
	f.StringVar(&config.Listen, "listen", config.Listen, "address of the traffic generator")
	f.StringVar(&config.Docker, "docker", config.Docker, "address of the Docker Engine (default DOCKER_HOST, or the local socket)")
	return &config
}

func newLabUp() *cobra.Command {
	c := &cobra.Command{
		Use:   "up",
		Short: "Make the lab, or what is missing of it",
		Example: `  smartinco lab up
  smartinco lab up --work 0s --wait 0s --cpus ''     # as fast as the machine is`,
		Args: cobra.NoArgs,
	}
	config := labFlags(c)
	f := c.Flags()
	f.IntVar(&config.Ports, "ports", config.Ports, "instances for which there are ports")
	f.IntVar(&config.Ring, "ring", config.Ring, "slots of an instance's receive ring")
	f.DurationVar(&config.Work, "work", config.Work, "CPU time that a packet costs an instance")
	f.DurationVar(&config.Wait, "wait", config.Wait, "other time that a packet costs an instance")
	f.StringVar(&config.CPUs, "cpus", config.CPUs, "processors that the instances share; empty for all")
	f.StringVar(&config.Rest, "rest", config.Rest, "processors of switch and generator; empty for all")
	c.RunE = func(c *cobra.Command, _ []string) error {
		err := lab.Up(c.Context(), *config, func(step string) { fmt.Fprintln(c.ErrOrStderr(), step) })
		switch {
		case errors.Is(err, lab.ErrMissing):
			return usageError{err}
		case err != nil:
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
