package main

import (
	"encoding/json"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// formatFlag adds --format to a verb; the first format is the default.
func formatFlag(c *cobra.Command, formats ...string) *string {
	f := &choice{formats[0], formats}
	c.Flags().Var(f, "format", strings.Join(formats, " or "))
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(f.among, cobra.ShellCompDirectiveNoFileComp))
	return &f.value
}

// choice is a flag that takes one of a few words.
type choice struct {
	value string
	among []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Type() string { return "name" }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.among, s) {
		return usagef("want %s", strings.Join(c.among, ", "))
	}
	c.value = s
	return nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// prose is a text that begins on the line below its opening quote, so that its lines have the whole width.
func prose(text string) string { return strings.TrimPrefix(text, "\n") }
