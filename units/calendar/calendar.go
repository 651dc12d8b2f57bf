// Package calendar says which date and time of day it is at a time of a run. It reads no clock, and no file of the
// machine: a run begins at the date that it is told, and the rules of the time zones are in the program, so that a run
// is the same everywhere.
package calendar

import (
	"archive/zip"
	"bytes"
	_ "embed" // the rules of the time zones
	"fmt"
	"io"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/smartinco/smartinco/units"
)

// Begin is the date and time at which a run begins.
type Begin struct{ at time.Time }

// ParseBegin reads a date and time in UTC: 2026-01-01 00:00.
func ParseBegin(text string) (Begin, error) {
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		return Begin{}, fmt.Errorf("%q: want a date and time in UTC, such as 2026-01-01 00:00", text)
	}
	return Begin{at}, nil
}

// Hours are the times from each start to the next end.
type Hours struct {
	begins     time.Time // of the run, in the zone
	start, end cron.Schedule

	within bool      // as of the last look
	until  time.Time // when that may change; before the first look, the zero time
}

// fields are those of a crontab, without seconds.
var fields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// Hours are those in a time zone of the IANA database, with start and end as in a crontab: minute, hour, day of the
// month, month, day of the week. The error begins with the name of what is wrong: timezone, start or end.
func (b Begin) Hours(timezone, start, end string) (*Hours, error) {
	in, err := zone(timezone)
	if err != nil {
		return nil, fmt.Errorf("timezone: %q: %w", timezone, err)
	}
	h := &Hours{begins: b.at.In(in)}
	if h.start, err = fields.Parse(start); err != nil {
		return nil, fmt.Errorf("start: %q: %w", start, err)
	}
	if h.end, err = fields.Parse(end); err != nil {
		return nil, fmt.Errorf("end: %q: %w", end, err)
	}
	return h, nil
}

// Within reports whether the next end comes before the next start, as KEDA finds it (pkg/scalers/cron_scaler.go). Times
// must not descend. One that does not come within five years is the zero time, to which all others are later.
func (h *Hours) Within(now units.Time) bool {
	at := h.begins.Add(time.Duration(now / units.Nanosecond))
	if at.Before(h.until) {
		return h.within
	}
	start, end := h.start.Next(at), h.end.Next(at)
	if h.within = at.After(start) || at.Before(end); start.Before(end) {
		h.within = at.After(start) && at.Before(end)
	}
	h.until = start
	if start.IsZero() || end.Before(start) && !end.IsZero() {
		h.until = end
	}
	return h.within
}

// zones are the rules of the time zones, release 2025c of the IANA Time Zone Database, as Go 1.26 has them in
// lib/time/zoneinfo.zip.
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
		return nil, fmt.Errorf("want the name of a time zone, such as Europe/Berlin")
	}
	defer f.Close()
	rules, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("want the name of a time zone, such as Europe/Berlin, and not of a region")
	}
	return time.LoadLocationFromTZData(name, rules)
}
