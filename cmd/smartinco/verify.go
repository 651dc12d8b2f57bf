package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/study"
)

func newVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify DIR...",
		Short: "Feed records' events to a new orchestrator, which must act as recorded",
		Long: prose(`
Hold every file of a record against its checksum. Then feed the events of a record to a new orchestrator, made from the
record's scenario, and compare what it decides and does with what the record says. Simulated runs, runs on hardware and
runs that were killed are verified alike. Of decisions on bursts a record has no more than a digest. To take them again,
the traffic is made anew from the scenario, and from the very files of the run. Of a directory without a record of its
own, such as a sweep's, every record below it is. Of the record of a rack, the dispatcher is verified, and after it the
nodes that have records of their own.

A difference is shown where it begins, with the event and the lines of the log that follow it; it makes the exit code 1,
and so does a damaged file. Each record's first difference is shown: what comes after one follows from it.`),
		Example: `  smartinco verify out/best-fit
  smartinco verify out/study out/lab --format json`,
		Args: cobra.MinimumNArgs(1),
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		dirs, err := results.Find(args...)
		if err != nil {
			return err
		}
		all := []results.Verified{}
		var errs []error
		differ := 0
		for i := 0; i < len(dirs); i++ { // a rack's is followed by those of its nodes
			nodes, err := results.NodeDirs(dirs[i])
			if err != nil {
				return err
			}
			dirs = slices.Insert(dirs, i+1, nodes...)
		}
		for _, dir := range dirs {
			v, err := results.VerifyDir(c.Context(), dir, study.Bursts(c.Context()))
			if ctxErr := c.Context().Err(); ctxErr != nil {
				return ctxErr
			}
			errs = append(errs, err)
			if v.Verification == nil {
				continue
			}
			if all = append(all, v); v.Difference != nil || v.Miscounted != "" {
				differ++
			}
			if *format == "text" {
				printVerified(c.OutOrStdout(), &v)
			}
		}
		if *format == "json" {
			errs = append(errs, writeJSON(c.OutOrStdout(), all))
		}
		if differ > 0 {
			errs = append(errs, fmt.Errorf("%d of %d records differ from what this orchestrator does", differ,
				len(dirs)))
		}
		return errors.Join(errs...)
	}
	return c
}

// printVerified says whether this orchestrator does what the record says, and where they differ if not.
func printVerified(w io.Writer, v *results.Verified) {
	d := v.Difference
	if d == nil {
		end := ""
		if !v.Complete {
			end = "; the run did not reach its end"
		}
		if v.Unchecked {
			end += "; its log has no checksum"
		}
		fmt.Fprintf(w, "%s: the same %d decisions and %d actions for %d events%s\n", v.Dir, v.Decisions, v.Actions,
			v.Events, end)
		if v.Miscounted != "" {
			fmt.Fprintf(w, "%s: differs in what run.json says of the policy: %s\n", v.Dir, v.Miscounted)
		}
		return
	}
	fmt.Fprintf(w, "%s: differs from line %d of the log on, at %v; recorded by version %s, this is %s\n", v.Dir, d.Line,
		d.At, v.Version, version)
	fmt.Fprintf(w, "  event    %s\n", shortened(d.Event))
	same := 0
	for same < len(d.Recorded) && same < len(d.Replayed) && d.Recorded[same] == d.Replayed[same] {
		same++
	}
	for _, x := range []struct {
		what  string
		lines []string
	}{{"both", d.Recorded[:same]}, {"recorded", d.Recorded[same:]}, {"now", d.Replayed[same:]}} {
		if len(x.lines) == 0 && x.what != "both" {
			x.lines = []string{"nothing more"}
		}
		for _, l := range x.lines {
			fmt.Fprintf(w, "  %-8s %s\n", x.what, shortened(l))
		}
	}
}

// shortened cuts a line of the log, which may hold a million candidates.
func shortened(line string) string {
	const most = 2000
	if len(line) <= most {
		return line
	}
	return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(line[:most], ""), len(line))
}
