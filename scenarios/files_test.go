package scenarios

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// Every file that a scenario can name is listed: whoever trusts a record asks whether they are still the same.
func TestFiles(t *testing.T) {
	s := &Scenario{dir: "dir", VNF: VNF{ServiceFile: "service"}, Workload: []Source{
		{PCAP: &Trace{File: "pcap"}}, {Zeek: &Trace{File: "zeek"}}, {Records: &Trace{File: "/records"}},
		{Load: &LoadCurve{File: "load"}}, {Model: &Model{File: "model", Series: "series"}},
		{Services: &Services{File: "services"}},
		{CBR: &CBR{}}, {Flows: []OneFlow{{}}}, {Diurnal: &Diurnal{}}, {FlashCrowd: &FlashCrowd{}},
		{Microbursts: &Microbursts{}}, {Churn: &Churn{}}, {SYNFlood: &SYNFlood{}},
		{Requests: &Requests{File: "times", Classes: []Class{{}, {ServiceLaw: ServiceLaw{ServiceFile: "services"}},
			{Path: []Visit{{}, {ServiceLaw: ServiceLaw{ServiceFile: "path"}}}}}}},
	}}
	want := []File{
		{"vnf.service_file", "service", "dir/service"},
		{"workload.0.pcap.file", "pcap", "dir/pcap"},
		{"workload.1.zeek.file", "zeek", "dir/zeek"},
		{"workload.2.records.file", "/records", "/records"},
		{"workload.3.load.file", "load", "dir/load"},
		{"workload.4.model.file", "model", "dir/model"},
		{"workload.4.model.series", "series", "dir/series"},
		{"workload.5.services.file", "services", "dir/services"},
		{"workload.13.requests.file", "times", "dir/times"},
		{"workload.13.requests.classes.1.service_file", "services", "dir/services"},
		{"workload.13.requests.classes.2.path.1.service_file", "path", "dir/path"},
	}
	if got := s.Files(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if n := reflect.TypeFor[Source]().NumField() - 2; n != len(s.Workload) { // a tenant and sizes are no kinds
		t.Errorf("%d kinds of sources, %d of them asked here", n, len(s.Workload))
	}
}

// What a run would refuse is no input, and a pipe is not waited for.
func TestFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.pcap"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"x.pcap", ""},
		{"pipe", "workload.0.pcap.file: " + dir + "/pipe is a pipe, want a file"},
		{"/dev/zero", "workload.0.pcap.file: /dev/zero is a device, want a file"},
		{".", "workload.0.pcap.file: " + dir + " is a directory, want a file"},
		{"none", "workload.0.pcap.file: open " + dir + "/none: no such file"},
	} {
		s, err := Parse("t.yaml", []byte("workload: [{pcap: {file: "+c.name+"}}]\n"), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Runs[0].Scenario.CheckFiles()
		if (c.want == "") != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want %q", c.name, err, c.want)
		}
	}
}
