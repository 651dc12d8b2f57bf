package keda

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units/calendar"
)

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

// clock is a cron trigger at work.
type clock struct {
	cronTrigger
	hours *calendar.Hours
}

func (t cronTrigger) clock(begins calendar.Begin) (*clock, error) {
	if t.Start == t.End {
		return nil, fmt.Errorf("end: %q: want another time than start", t.End)
	}
	hours, err := begins.Hours(t.Timezone, t.Start, t.End)
	return &clock{t, hours}, err
}

func (c *clock) called() string { return c.Name }

func (c *clock) said() string { return "cron" }

func (c *clock) value(s *policy.Snapshot) (float64, bool) {
	if c.hours.Within(s.Now) {
		return float64(c.Replicas), true
	}
	return 0, true
}

func (c *clock) unit(*policy.Snapshot) float64 { return 1 }

func (c *clock) target(*policy.Snapshot) float64 { return 1 }

func (c *clock) active(_ *policy.Snapshot, value float64) bool { return value > 0 }

func (c *clock) forAll() bool { return false }

func (c *clock) quantity(b []byte, x float64) []byte { return strconv.AppendFloat(b, x, 'g', 6, 64) }
