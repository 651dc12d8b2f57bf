// Command smartinco runs container orchestration for a SmartNIC against a simulated testbed or a real one, and turns
// what happened into records, figures and a comparison with the published results.
//
// Each verb is a file of this package and only wires the packages that do the work:
//
//	smartinco run fig9-best-fit -o out/best-fit    one scenario, one record
//	smartinco sweep study.yaml -o out/study        a matrix of scenarios on all cores
//	smartinco plot fig9 out/best-fit -o fig9.pdf   a figure from records
//	smartinco reproduce -o out/reproduce           figures 6 to 10 beside the published numbers
//
// It exits with 0 when it did what was asked, with 2 when the request was at fault (a flag, a scenario, a file that
// does not exist), and with 1 when it failed. When a signal ended it, it exits with 128 and the signal's number: 130
// for an interrupt, 143 for SIGTERM, 129 for SIGHUP.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/hw/lab"
	"github.com/smartinco/smartinco/hw/testbed"
	"github.com/smartinco/smartinco/plots"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/compare"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// version is set by the linker: -X main.version=...
var version = "devel"

// errUsage marks an error as the user's: exit code 2.
var errUsage = errors.New("usage")

// usageError is a user's mistake.
type usageError struct{ error }

func (usageError) Is(target error) bool { return target == errUsage }

func (e usageError) Unwrap() error { return e.error }

// atFault are the errors of a request that is at fault, whichever verb meets them: exit code 2.
var atFault = []error{
	errUsage, scenarios.ErrInvalid, study.ErrRefused, results.ErrNoRecord, results.ErrNoDelays, results.ErrNoCounts,
	results.ErrNoDecisions, compare.ErrNothing, plots.ErrRequest, lab.ErrMissing,
	fs.ErrNotExist, syscall.ENOTDIR, syscall.EISDIR, syscall.ENAMETOOLONG,
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	os.Exit(supervise(listen(), os.Stderr, func(ctx context.Context) int {
		return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	}))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	stderr = &visible{w: stderr}
	if terminal(stdout) != nil {
		stdout = &visible{w: stdout}
	}
	out := &output{w: stdout}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(stderr)

	// Whatever goes wrong before a verb begins - flags, arguments, its name - is the user's mistake.
	begun := false
	root.PersistentPreRun = func(*cobra.Command, []string) { begun = true }
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		err = out.err
	}
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "smartinco: %s\n", brief(err))
	switch {
	case ctx.Err() != nil:
		return 1 // supervise knows the signal
	case !begun:
		fmt.Fprintf(stderr, "See %s --help.\n", cmd.CommandPath())
		return 2
	case errors.Is(err, results.ErrDamaged): // whatever it is that is missing in it or cannot be read
		return 1
	case errors.Is(err, testbed.ErrUnavailable):
		return 1 // for lack of a socket, for instance, which is no mistake in the request
	case slices.ContainsFunc(atFault, func(fault error) bool { return errors.Is(err, fault) }):
		return 2
	}
	return 1
}

// output remembers that a write failed. So a verb may print without checking, and the program still fails when the disk
// is full.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "smartinco",
		Short: "Container orchestration on a SmartNIC, simulated and on hardware",
		Long: `SmartINCO places network flows on container instances from a SmartNIC, and scales the instances.
This program runs its orchestrator against a simulated testbed or a real one and draws what happened.`,
		Example: `  smartinco run fig9-best-fit -o out/best-fit
  smartinco plot fig9 out/best-fit -o fig9.pdf
  smartinco reproduce -o out/reproduce`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveDefault)
	for _, verb := range verbs {
		root.AddCommand(verb())
	}
	return root
}

// group is a verb that only has verbs of its own.
func group(c *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	c.Args = cobra.NoArgs
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.AddCommand(verbs...)
	return c
}
