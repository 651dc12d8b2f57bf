package traces

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// recording is the path of a recording and whether it is here. Those of data and testdata are shipped. Others are not,
// for want of a licence or of room: they are below the folder that SMARTINCO_TRACES names or, where that is not set,
// nowhere, and a test makes do with what is shipped.
func recording(t testing.TB, name string) (path string, here bool) {
	t.Helper()
	path = filepath.FromSlash(name)
	if !strings.HasPrefix(name, "data/") && !strings.HasPrefix(name, "testdata/") {
		further := os.Getenv("SMARTINCO_TRACES")
		if further == "" {
			return "", false
		}
		path = filepath.Join(further, path)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	return path, true
}

// The figures were measured with other tools; those of the captures that are shipped are in data/ORIGIN.md.
func TestRecordedCaptures(t *testing.T) {
	for _, c := range []struct {
		file    string
		packets float64
		uni     int
		mean    float64
	}{
		{"data/echo-connections.pcap.gz", 82582, 1000, 66.8},
		{"pcap/cicddos2019-synflood.pcap.gz", 26316, 13122, 60.0},
		{"data/tls2.pcap.gz", 7451, 665, 367.0},
		{"pcap/open5gs-5g-roaming-lbo.pcapng", 2690, 205, 202.0},
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			w, err := ReadCapture(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, w)
			packets, bytes := w.Totals()
			ip := 0
			for _, f := range w.Flows {
				if f.Tuple.Proto != notIP {
					ip++
				}
			}
			if packets != c.packets || ip != c.uni || math.Abs(bytes/packets-c.mean) > 0.05 {
				t.Errorf("got %v packets, %d IP flows of %d, mean %.2f B; want %v, %d, %.1f\n%v", packets, ip,
					len(w.Flows), bytes/packets, c.packets, c.uni, c.mean, w.Skipped)
			}
		})
	}
}

func TestRecordedZeekLogs(t *testing.T) {
	for _, c := range []struct {
		file            string
		packets         float64
		megabytes, mean float64
	}{
		{"testdata/field/zk_bom.log", 24, 0.006314, 263.1},
		{"flowrecords/m57-2009-11-18_zeek_conn.log.gz", 871971, 862.5, 989.2},
		{"flowrecords/rita-2024-04-19_zeek_conn.log.gz", 295896, 96.8, 327.2},
		{"flowrecords/rita-2024-04-20_zeek_conn.log.gz", 246874, 36.4, 147.6},
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			w, err := ReadZeek(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			check(t, w)
			packets, bytes := w.Totals()
			if packets != c.packets || math.Abs(bytes/1e6-c.megabytes) > 0.05 || math.Abs(bytes/packets-c.mean) > 0.05 {
				t.Errorf("got %v packets, %.2f MB, mean %.2f B; want %v, %.1f, %.1f", packets, bytes/1e6, bytes/packets,
					c.packets, c.megabytes, c.mean)
			}
		})
	}
}

func TestRecordedLoadCurves(t *testing.T) {
	for _, c := range []struct {
		file       string
		o          LoadOptions
		mean, peak float64 // packets per second
		end        units.Time
	}{
		{"testdata/day.csv", LoadOptions{Column: "load", Time: "time", Scale: 2, Flows: 2, Size: 64},
			600, 1000, 24 * units.Hour},
		{"load/agh_20150610T1900_30min_per_second.csv",
			LoadOptions{Column: "packets", Time: "second_of_day_utc", Flows: 7, Size: 64},
			149736, 190739, 30 * units.Minute},
		// Ten minutes are missing here: the row before them holds.
		{"load/worldcup98_requests_per_minute.csv.gz",
			LoadOptions{Column: "count", Time: "period", Scale: 1. / 60, Size: 64},
			10797. / 60, 229426. / 60, 125310 * units.Minute},
		{"load/azure_llm_2023_conv_requests.csv.gz", LoadOptions{Column: RowCount, Time: "TIMESTAMP", Size: 64},
			5.53, 19, 3503 * units.Second},
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			w, err := ReadLoad(path, c.o)
			if err != nil {
				t.Fatal(err)
			}
			check(t, w)
			packets, _ := w.Totals()
			peak := 0.0
			for _, s := range w.Flows[0].Segments {
				peak = max(peak, s.Rate()*float64(max(c.o.Flows, 1)))
			}
			mean := packets / w.End().Seconds()
			if math.Abs(mean/c.mean-1) > 2e-3 || math.Abs(peak/c.peak-1) > 1e-6 || w.End() != c.end {
				t.Errorf("got mean %.2f, peak %.2f, end %v; want %.2f, %.2f, %v", mean, peak, w.End(), c.mean, c.peak,
					c.end)
			}
		})
	}
}
