package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/units"
)

// The day of the examples of KEDA's documentation: Monday to Friday, from 8 to 18, here in Berlin. Summer time begins
// there at 2 o'clock of 29 March 2026, and ends at 3 o'clock of 25 October.
func TestHours(t *testing.T) {
	type hours struct{ zone, start, end string }
	work := hours{"Europe/Berlin", "0 8 * * 1-5", "0 18 * * 1-5"}
	night := hours{"Asia/Kolkata", "30 22 * * *", "15 6 * * *"}
	for _, c := range []struct {
		hours
		at   string
		want bool
	}{
		{work, "2026-01-05T06:59:59Z", false}, {work, "2026-01-05T07:00:00Z", true},
		{work, "2026-01-05T16:59:59Z", true}, {work, "2026-01-05T17:00:00Z", false},
		{work, "2026-01-10T12:00:00Z", false},                                       // a Saturday
		{work, "2026-03-27T06:30:00Z", false}, {work, "2026-03-30T06:30:00Z", true}, // in summer, an hour earlier
		{work, "2026-10-23T06:30:00Z", true}, {work, "2026-10-26T06:30:00Z", false},
		{night, "2026-05-01T16:59:59Z", false}, {night, "2026-05-01T17:00:00Z", true},
		{night, "2026-05-02T00:44:59Z", true}, {night, "2026-05-02T00:45:00Z", false},
		{hours{"UTC", "0 0 30 2 *", "0 1 * * *"}, "2026-05-02T02:00:00Z", true}, // as there, where a start never comes
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		const later = 36 * time.Hour
		for _, step := range []time.Duration{later, 59 * time.Second} { // looked at once, and again and again
			h, err := Begin{at.Add(-later)}.Hours(c.zone, c.start, c.end)
			if err != nil {
				t.Fatal(err)
			}
			for d := step; d < later; d += step {
				h.Within(units.Time(d) * units.Nanosecond)
			}
			if got := h.Within(units.Time(later) * units.Nanosecond); got != c.want {
				t.Errorf("%+v, %s, every %v: %v", c.hours, c.at, step, got)
			}
		}
	}
}

// What is kept between two looks is what a look finds anew.
func TestHoursAgainAndAgain(t *testing.T) {
	b, err := ParseBegin("2026-10-20 00:00")
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range [][2]string{
		{"*/7 * * * *", "*/5 * * * *"}, {"0 2 * * *", "30 2 * * *"}, {"0 0 1 * *", "0 0 * * 0"},
	} {
		kept, _ := b.Hours("America/New_York", of[0], of[1])
		for m := units.Time(0); m < 20*24*60; m += 3 {
			anew := &Hours{begins: kept.begins, start: kept.start, end: kept.end}
			now := m * 60 * units.Second
			if got, want := kept.Within(now), anew.Within(now); got != want {
				t.Fatalf("%v at %v: %v, want %v", of, now, got, want)
			}
		}
	}
}

func TestRefusesWhatIsNoTime(t *testing.T) {
	b, _ := ParseBegin("2026-01-01 00:00")
	for want, of := range map[string][3]string{
		`timezone: "Berlin": want the name`:        {"Berlin", "0 8 * * *", "0 9 * * *"},
		`timezone: "Europe": want the name`:        {"Europe", "0 8 * * *", "0 9 * * *"},
		`timezone: "../x": want the name`:          {"../x", "0 8 * * *", "0 9 * * *"},
		`start: "0 8 * * * *": expected exactly 5`: {"UTC", "0 8 * * * *", "0 9 * * *"},
		`end: "61 9 * * *": end of range (61)`:     {"UTC", "0 8 * * *", "61 9 * * *"},
	} {
		if _, err := b.Hours(of[0], of[1], of[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", of, err, want)
		}
	}
	if _, err := ParseBegin("today"); err == nil || !strings.Contains(err.Error(), `"today": want a date and time`) {
		t.Errorf("error %v", err)
	}
}

// A crontab is read without a panic, whatever it is, and is found to be within or not.
func FuzzHours(f *testing.F) {
	f.Add("Europe/Berlin", "0 8 * * 1-5", "0 18 * * 1-5")
	f.Add("", "TZ=UTC 0 0 * * *", "@daily")
	f.Fuzz(func(t *testing.T, zone, start, end string) {
		b, _ := ParseBegin("2026-02-28 23:59")
		if h, err := b.Hours(zone, start, end); err == nil {
			h.Within(0)
		}
	})
}
