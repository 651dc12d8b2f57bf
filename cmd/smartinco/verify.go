package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

func newVerify() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify DIR...",
		Short: "Feed records' events to a new orchestrator, which must act as recorded",
		Long: `Feed the events of a record to a new orchestrator, made from the record's scenario, and compare what it decides and
does with what the record says. Simulated runs, runs on hardware and runs that were killed are verified alike. Of a
directory without a record of its own, such as a sweep's, every record below it is.

A difference is shown where it begins, with the event and the lines of the log that follow it; it makes the exit code 1.
Each record's first difference is shown: what comes after one follows from it.`,
		Example: `  smartinco verify out/best-fit
  smartinco verify out/study out/lab --format json`,
		Args: cobra.MinimumNArgs(1),
	}
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		var dirs []string
		for _, arg := range args {
			below, err := recordsBelow(arg)
			if err != nil {
				return err
			}
			dirs = append(dirs, below...)
		}
		var all []verified
		differ := 0
		for _, dir := range dirs {
			if err := c.Context().Err(); err != nil {
				return err
			}
			v, err := verify(dir)
			if err != nil {
				return err
			}
			if all = append(all, v); v.Difference != nil {
				differ++
			}
			if *format == "text" {
				v.print(c.OutOrStdout())
			}
		}
		if *format == "json" {
			if err := writeJSON(c.OutOrStdout(), all); err != nil {
				return err
			}
		}
		if differ > 0 {
			return fmt.Errorf("%d of %d records differ from what this orchestrator does", differ, len(all))
		}
		return nil
	}
	return c
}

// verified is the outcome for one record.
type verified struct {
	Dir     string `json:"dir"`
	Version string `json:"version"` // of the program that made the record
	*results.Verification
}

func verify(dir string) (v verified, err error) {
	rec, err := results.Open(dir)
	if err != nil {
		return v, err
	}
	sc, err := scenarios.FromRecord(dir, rec.Run.Scenario, rec.Run.Seed)
	if err != nil {
		return v, err
	}
	v.Dir, v.Version = dir, rec.Run.Version
	v.Verification, err = rec.Verify(sc.Orchestrator())
	return v, err
}

func (v *verified) print(w io.Writer) {
	d := v.Difference
	if d == nil {
		end := ""
		if !v.Complete {
			end = "; the run did not reach its end"
		}
		fmt.Fprintf(w, "%s: the same %d decisions and %d actions for %d events%s\n", v.Dir, v.Decisions, v.Actions, v.Events, end)
		return
	}
	fmt.Fprintf(w, "%s: differs from line %d of the log on, at %v; recorded by version %s, this is %s\n", v.Dir, d.Line, d.At, v.Version, version)
	fmt.Fprintf(w, "  event    %s\n", d.Event)
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
			fmt.Fprintf(w, "  %-8s %s\n", x.what, l)
		}
	}
}

// recordsBelow finds dir if it is a record, else the records below it, in order of their paths.
func recordsBelow(dir string) (dirs []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		if _, err := results.Open(path); err == nil {
			dirs = append(dirs, path)
			return fs.SkipDir
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
	if err == nil && len(dirs) == 0 {
		err = usagef("%s: no record in it or below it: want what run or sweep wrote", dir)
	}
	slices.Sort(dirs)
	return dirs, err
}
