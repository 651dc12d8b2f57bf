package main

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// What validate takes, run takes, and what run refuses for what the scenario says, validate refuses: with the same exit
// code, and naming the same key.
func TestValidateAndRunAgree(t *testing.T) {
	const cbr = "duration: 1ms\nworkload: [{cbr: {flows: 2, rate: 1Mpps}}]\n"
	for _, c := range []struct{ text, key string }{
		{cbr, ""},
		{cbr + "engine: packet\n", ""},
		{cbr + "instances: {initial: 3, max: 65536}\n", ""},
		{cbr + "engine: packet\nvnf: {buffer: 1048576}\n", ""},
		{cbr + "instances: {initial: 3, max: 65537}\n", "instances.max"},
		{cbr + "instances: {initial: 1000000, max: 1000000}\n", "instances.max"},
		{cbr + "engine: packet\nvnf: {buffer: 1048577}\n", "vnf.buffer"},
		{cbr + "engine: packet\nnic: {slowpath_rate: 0.1pps}\n", "nic.slowpath_rate"},
		{cbr + "engine: packet\nnic: {eswitch_limit: 0.1pps}\n", "nic.eswitch_limit"},
		{cbr + "engine: packet\nnic: {link: 1kbps}\n", "nic.link"},
		{cbr + "engine: packet\nvnf: {contention: {model: constant, rate: 0.1pps}}\n",
			"vnf.contention of one instance"},
		{cbr + "engine: packet\nvnf: {contention: {sigma: 1e300}}\n", "vnf.contention of instances.max"},
		{cbr + "engine: packet\nvnf: {service: empirical, service_times: [{time: 1ps}, {time: 0s}]}\n",
			"vnf.service_times"},
		{cbr + "telemetry: {window: 0s}\n", "telemetry.window"},
		{"duration: 1h\nworkload: [{cbr: {flows: 2, rate: 1Mpps}}]\ntelemetry: {window: 1us}\n", "telemetry.window"},
		{"duration: 1h\nworkload: [{cbr: {flows: 2, rate: 1Mpps}}]\nautoscaler: {interval: 1us}\n",
			"autoscaler.interval"},
		{"duration: 0s\nworkload: [{cbr: {flows: 2, rate: 1Mpps}}]\n", "duration"},
		{"workload: [{flows: [{rate: 1Mpps}]}]\n", "duration"},
		{"workload: [{model: {name: agh-2015, rate: 1}}]\n", "duration"},
		{"workload: [{model: {name: trex, file: there.csv}}]\n", "duration"},
		{"duration: 1ms\nworkload: [{cbr: {flows: 2, rate: 1pps, arrivals: on-off}}]\n", "workload.0.cbr.on_time"},
		{"duration: 1ms\nworkload: [{flows: [{rate: 1pps, arrivals: on-off}]}]\n", "workload.0.flows.0.on_time"},
		{"duration: 1s\nworkload: [{model: {name: agh-2015, rate: 1e13}}]\n", "workload.0.model.rate"},
		{"duration: 1s\nworkload: [{model: {name: agh-2015, rate: 1, arrivals: on-off, on_time: 1ps, off_time: " +
			"1ps}}]\n", "workload.0.model.on_time"},
		{"duration: 2500h\nworkload: [{model: {name: agh-2015, rate: 1, until: 2401h}}]\n", "workload.0.model.until"},
		{"duration: 1s\nworkload: [{load: {file: there.csv, column: pps, step: 2401h}}]\n", "workload.0.load.step"},
		{"duration: 1s\nworkload: [{load: {file: there.csv, column: \"#rows\"}}]\n", "workload.0.load.column"},
		{"duration: 1s\nworkload: [{records: {file: there.csv, resolution: 61min}}]\n",
			"workload.0.records.resolution"},
		{"duration: 1s\nworkload: [{load: {file: absent.csv, column: pps}}]\n", "absent.csv"},
		{cbr + "name: ../../../x\n", "name"},
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "s.yaml")
		write(t, file, c.text)
		write(t, filepath.Join(dir, "there.csv"), "pps\n1\n")
		for _, args := range [][]string{{"validate", file}, {"run", file, "-o", filepath.Join(dir, "out")},
			{"sweep", file, "-o", filepath.Join(dir, "swept")}} {
			var out bytes.Buffer
			code := run(context.Background(), args, strings.NewReader(""), &out, &out)
			if want := map[bool]int{true: 2}[c.key != ""]; code != want || c.key != "" &&
				!strings.Contains(out.String(), c.key) {
				t.Errorf("%s of %q: exit code %d, want %d and %q:\n%s", args[0], c.text, code, want, c.key,
					out.String())
			}
		}
	}
}
