package traces

import (
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// alibaba is a table of calls as in Alibaba's microservices trace of 2021: rows of two services and their instances, in
// any order, with times in milliseconds.
const alibaba = `,timestamp,msname,msinstanceid,metric,value
0,120000,MS_1,a,providerRPC_MCR,3
1,60000,MS_1,b,providerRPC_MCR,1
2,60000,MS_1,a,providerRPC_MCR,2
3,60000,MS_1,a,providerRPC_RT,900
4,180000,MS_2,c,providerRPC_MCR,6.5
5,60000,MS_2,c,providerRPC_MCR,7
`

// azure2019Rows has two functions of an application and one of another, whose last is never called.
const azure2019Rows = `HashOwner,HashApp,HashFunction,Trigger,1,2,3
o1,a1,f1,http,60,0,30
o1,a1,f2,timer,1,1,1
o2,a2,f1,queue,0,0,0
`

func TestAServiceIsAFlowOfItsOwn(t *testing.T) {
	const min = units.Minute
	alibabaOptions := ServicesOptions{Group: []string{"msname"}, Milliseconds: true, Where: "metric=providerRPC_MCR",
		LoadOptions: LoadOptions{Column: "value", Time: "timestamp", Step: min}}
	with := func(edit func(*ServicesOptions)) ServicesOptions {
		o := alibabaOptions
		edit(&o)
		return o
	}
	for _, c := range []struct {
		name, csv string
		o         ServicesOptions
		want      [][]Segment // by address
	}{
		{"instances add up, in any order of rows, and silence is kept", alibaba, alibabaOptions, [][]Segment{
			{{0, min, 420, 420}, {2 * min, 3 * min, 390, 390}},
			{{0, 2 * min, 360, 360}},
		}},
		{"the most load first, and no more services", alibaba, with(func(o *ServicesOptions) { o.Most = 1 }),
			[][]Segment{{{0, min, 420, 420}, {2 * min, 3 * min, 390, 390}}}},
		{"a cut decides which has the most load", alibaba, with(func(o *ServicesOptions) { o.From, o.Most = min, 1 }),
			[][]Segment{{{min, 2 * min, 390, 390}}}},
		{"scaled, sped up and in two flows", alibaba, with(func(o *ServicesOptions) {
			o.Most, o.Scale, o.Speedup, o.Flows = 1, 2, 60, 2
		}), [][]Segment{
			{{0, min / 60, 7, 7}, {min / 30, min / 20, 6.5, 6.5}},
			{{0, min / 60, 7, 7}, {min / 30, min / 20, 6.5, 6.5}},
		}},
		{"dates", "t,s,v\n2024-02-29 00:00:30,x,2\n2024-02-28T23:59:59Z,y,1\n", ServicesOptions{Group: []string{"s"},
			LoadOptions: LoadOptions{Column: "v", Time: "t", Step: min}},
			[][]Segment{{{min, 2 * min, 120, 120}}, {{0, min, 60, 60}}}},
		{"events", "t,s\n0.5,x\n61,x\n61.5,x\n2,y\n", ServicesOptions{Group: []string{"s"},
			LoadOptions: LoadOptions{Column: RowCount, Time: "t", Step: min}},
			[][]Segment{{{0, min, 1, 1}, {min, 2 * min, 2, 2}}, {{0, min, 1, 1}}}},
		{"functions of 2019", azure2019Rows, ServicesOptions{}, [][]Segment{
			{{0, min, 60, 60}, {2 * min, 3 * min, 30, 30}}, {{0, 3 * min, 3, 3}},
		}},
		{"applications of 2019", azure2019Rows, ServicesOptions{Group: []string{"HashApp"}}, [][]Segment{
			{{0, min, 61, 61}, {min, 2 * min, 1, 1}, {2 * min, 3 * min, 31, 31}},
		}},
		{"invocations of 2021 begin before they end, and before the trace", "app,func,end_timestamp,duration\n" +
			"a,f,62,3\na,g,64,1\na,f,1,9\na,f,59,0\n", ServicesOptions{LoadOptions: LoadOptions{Step: min}},
			[][]Segment{{{0, min, 3, 3}}, {{min, 2 * min, 1, 1}}}},
	} {
		c.o.Size = 1
		if c.o.Flows == 0 {
			c.o.Flows = 1
		}
		w, err := ReadServices(write(t, "services.csv", []byte(c.csv)), c.o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		check(t, w)
		got := make([][]Segment, len(w.Flows))
		for _, f := range w.Flows {
			for i := range got {
				if f.Tuple == SyntheticTuple(i) {
					got[i] = f.Segments
				}
			}
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

// The sample of the data set itself: six functions, each called once, some of which ran for most of a minute.
func TestTheSampleOf2021(t *testing.T) {
	w, err := ReadServices("testdata/azure-functions-2021.csv",
		ServicesOptions{LoadOptions: LoadOptions{Step: units.Second, Flows: 1, Size: 64}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, w)
	var starts []units.Time
	for _, f := range w.Flows {
		starts = append(starts, f.Segments[0].Start)
	}
	const s = units.Second // 5160.008, 5161.267, 5199.211, 5211.511, 5219.410 and 5220.014
	if want := []units.Time{0, s, 39 * s, 51 * s, 59 * s, 60 * s}; !reflect.DeepEqual(starts, want) {
		t.Errorf("invocations at %v, want %v", starts, want)
	}
}

func TestWhatIsLeftOutOfServicesIsCounted(t *testing.T) {
	w, err := ReadServices(write(t, "services.csv", []byte(alibaba+"\n,,,,,\n")), ServicesOptions{
		Group: []string{"msname"}, Milliseconds: true, Where: "metric=providerRPC_MCR",
		LoadOptions: LoadOptions{Column: "value", Time: "timestamp", Step: units.Minute, Flows: 1}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Count{{"rows with another value of metric", 1}, {"rows without values", 1}}
	if !reflect.DeepEqual(w.Skipped, want) {
		t.Errorf("got %v, want %v", w.Skipped, want)
	}
	const text = "services services.csv: 5 rows, the 2 with the most load of 2 services"
	if got := w.Provenance[0]; !strings.HasPrefix(got, text) {
		t.Errorf("provenance %s", got)
	}
}

func TestBadServicesAreRefusedByLine(t *testing.T) {
	own := func(column, time string) ServicesOptions {
		return ServicesOptions{Group: []string{"s"}, LoadOptions: LoadOptions{Column: column, Time: time}}
	}
	ms := own("v", "t")
	ms.Milliseconds = true
	where := own("v", "t")
	where.Where = "v"
	tiny := own("v", "t")
	tiny.Step = 1
	for _, c := range []struct {
		csv, want string
		o         ServicesOptions
	}{
		{"", "empty: want a line of column names", own("v", "t")},
		{"a,b\n", `line 1: found "a, b": want the columns of Azure Functions`, ServicesOptions{}},
		{"s,t\n", "line 1: no column v", own("v", "t")},
		{"s,t,v\n", "line 1: want the names of the column with the time", own("v", "")},
		{"s,t,v\n", `line 1: where is "v", want COLUMN=VALUE`, where},
		{"s,t,v\n", "line 1: step is 1ps, want 1ms or more", tiny},
		{"s,t,v\nx,1,-1\n", `line 2: column v: "-1" is not a load`, own("v", "t")},
		{"s,t,v\nx,now,1\n", `line 2: column t: "now" is not a time`, own("v", "t")},
		{"s,t,v\nx,1700000000000,1\n", "line 2: column t: 1700000000000 s since 1970", own("v", "t")},
		{"s,t,v\nx,1,0\n", "no load in any service", ms},
		{"s,t,v\nx,1,1e13\n", "service x: a load of 1e+13 packets a second", own("v", "t")},
		{"s,t,v\nx,1,1\nx,9000000,1\n", "the rows last longer than", own("v", "t")},
		{azure2019Rows + "o,a,f,http,1,x,1\n", `line 5: column 2: "x" is not a count`, ServicesOptions{}},
		{azure2019Rows + "o,a,f,http,1\n", "line 5: 5 values, want 7", ServicesOptions{}},
		{"app,func,end_timestamp,duration\na,f,1,-1\n", `line 2: column duration: "-1"`, ServicesOptions{}},
	} {
		_, err := ReadServices(write(t, "services.csv", []byte(c.csv)), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "services.csv: ") {
			t.Errorf("%q: got %v, want the file's name and %q", c.csv, err, c.want)
		}
	}
}

func FuzzServices(f *testing.F) {
	for _, csv := range []string{alibaba, azure2019Rows, "app,func,end_timestamp,duration\na,f,1,9\na,f,62,3\n",
		"timestamp,msname,value\n2024-02-29 00:00:00,x,1e12\n"} {
		f.Add([]byte(csv))
		f.Add(zipped([]byte(csv)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, o := range []ServicesOptions{{}, {Group: []string{"app"}, Most: 1}, {Group: []string{"msname"},
			LoadOptions:  LoadOptions{Column: "value", Time: "timestamp", Speedup: 3, From: units.Second},
			Milliseconds: true, Where: "metric=providerRPC_MCR"},
			{Group: []string{"msname", "value"}, LoadOptions: LoadOptions{Column: RowCount, Time: "timestamp",
				Step: leastStep}}} {
			src := sourceOf(b)
			if src == nil {
				return
			}
			if w, err := readServices(src, "services.csv", o); err == nil {
				check(t, w)
			}
		}
	})
}
