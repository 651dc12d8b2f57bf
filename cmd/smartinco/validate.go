package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// verdict is what validate says of a file.
type verdict struct {
	File   string   `json:"file"`
	Valid  bool     `json:"valid"`
	Name   string   `json:"name,omitempty"`
	Runs   int      `json:"runs"`
	Errors []string `json:"errors,omitempty"`
}

func newValidate() *cobra.Command {
	c := &cobra.Command{
		Use:   "validate SCENARIO...",
		Short: "Check scenarios without running them",
		Long: prose(`
Check scenarios without running them. Every mistake is reported with its file, line, column and key, what was found and
what was expected. What is valid is run, unless a file that it names, which must be there but is not read, is wrong.`),
		Example: `  smartinco validate mine.yaml
  smartinco validate *.yaml --format json
  smartinco validate mine.yaml --set scheduler.limit=12Mpps`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeScenario,
	}
	sets := setFlag(c)
	format := formatFlag(c, "text", "json")
	c.RunE = func(c *cobra.Command, args []string) error {
		var verdicts []verdict
		var errs []error
		for _, file := range args {
			v := verdict{File: file}
			st, err := scenarios.Load(file, *sets)
			for i := 0; err == nil && i < len(st.Runs); i++ {
				sc := st.Runs[i].Scenario
				if err = errors.Join(study.Check(sc), sc.CheckFiles()); err != nil {
					err = usagef("%s: %w", file, err)
				}
			}
			if err != nil {
				errs = append(errs, err)
				v.Errors = strings.Split(err.Error(), "\n")
			} else {
				v.Valid, v.Name, v.Runs = true, st.Name, len(st.Runs)
			}
			verdicts = append(verdicts, v)
		}
		if *format == "json" {
			if err := writeJSON(c.OutOrStdout(), verdicts); err != nil {
				return err
			}
			return errors.Join(errs...)
		}
		for _, v := range verdicts {
			if v.Valid {
				fmt.Fprintf(c.OutOrStdout(), "%s: valid, %s, %s\n", v.File, v.Name, plural(v.Runs, "run"))
			}
		}
		return errors.Join(errs...)
	}
	return c
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
