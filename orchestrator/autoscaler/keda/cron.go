package keda

import (
	"archive/zip"
	"bytes"
	_ "embed" // the rules of the time zones
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// zones are the rules of the time zones, release 2025c of the IANA Time Zone Database, as Go 1.26 has them in
// lib/time/zoneinfo.zip. Those of the machine differ from one to another, and a run must not.
//
//go:embed zoneinfo.zip
var zones []byte

// zone is a time zone by its name.
func zone(name string) (*time.Location, error) {
	archive, err := zip.NewReader(bytes.NewReader(zones), int64(len(zones)))
	if err != nil {
		return nil, err
	}
	f, err := archive.Open(name)
	if err != nil {
		return nil, fmt.Errorf("timezone: %q: want the name of a time zone, such as Europe/Berlin", name)
	}
	defer f.Close()
	rules, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("timezone: %q: want a time zone, and not a region: %w", name, err)
	}
	return time.LoadLocationFromTZData(name, rules)
}

// cronTrigger is one of an object's that goes by the time of day.
type cronTrigger struct {
	Name     string `yaml:"name" default:""`
	Timezone string `yaml:"timezone" required:"true"`
	Start    string `yaml:"start" required:"true"`
	End      string `yaml:"end" required:"true"`
	Replicas int    `yaml:"desired_replicas" required:"true" min:"1" max:"1000000"`
}

// Docs implements strictyaml.Documented.
func (cronTrigger) Docs() string {
	return `
name: what the formula calls it
timezone: the time zone in which start and end are, by its name in the IANA database
start: when it begins, as in a crontab: minute, hour, day of the month, month, day of the week; 0 8 * * 1-5
end: when it ends
desired_replicas: how many instances it then wants
`
}

// clock is a cron trigger at work: it wants its replicas where the end comes before the next start.
type clock struct {
	cronTrigger
	begins     time.Time // of the run, in the trigger's zone
	start, end cron.Schedule

	within bool      // as of the last look
	until  time.Time // when that changes; before the first look, the zero time
}

// fields are those of a crontab that KEDA takes.
var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

func (t cronTrigger) clock(begins time.Time) (c *clock, err error) {
	in, err := zone(t.Timezone)
	if err != nil {
		return nil, err
	}
	c = &clock{cronTrigger: t, begins: begins.In(in)}
	if c.start, err = fields.Parse(t.Start); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	if c.end, err = fields.Parse(t.End); err != nil {
		return nil, fmt.Errorf("end: %w", err)
	}
	if t.Start == t.End {
		return nil, fmt.Errorf("end: %q: want another time than start", t.End)
	}
	return c, nil
}

// look finds whether the trigger wants its replicas: pkg/scalers/cron_scaler.go. A time that does not come within five
// years is the zero time, to which all others are later.
func (c *clock) look(now units.Time) bool {
	at := c.begins.Add(time.Duration(now / units.Nanosecond))
	if at.Before(c.until) {
		return c.within
	}
	start, end := c.start.Next(at), c.end.Next(at)
	if c.within = at.After(start) || at.Before(end); start.Before(end) {
		c.within = at.After(start) && at.Before(end)
	}
	c.until = start
	if start.IsZero() || end.Before(start) && !end.IsZero() {
		c.until = end
	}
	return c.within
}

func (c *clock) called() string { return c.Name }

func (c *clock) value(s *policy.Snapshot) (float64, bool) {
	if c.look(s.Now) {
		return float64(c.Replicas), true
	}
	return 0, true
}

func (c *clock) unit(*policy.Snapshot) float64 { return 1 }

func (c *clock) target(*policy.Snapshot) float64 { return 1 }

func (c *clock) active(s *policy.Snapshot, value float64) bool { return value > 0 }

func (c *clock) forAll() bool { return false }

func (c *clock) said() string { return "cron" }

func (c *clock) quantity(b []byte, x float64) []byte { return strconv.AppendFloat(b, x, 'g', 6, 64) }
