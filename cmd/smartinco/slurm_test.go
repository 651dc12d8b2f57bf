package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smartinco/smartinco/internal/needs"
)

// The last run takes about a second, so that it can be killed in the middle.
const clusterStudy = `name: study
engine: packet
vnf: {contention: {model: constant, service_time: 100ns}}
instances: {initial: 1, min: 1, max: 1}
workload: [{flows: [{rate: 9Mpps, packet_size: 64B, arrivals: poisson}]}]
sweep:
  matrix: {duration: [10ms, 20ms, 30ms, 6s]}
`

// A Slurm array runs a sweep, one task is killed, the same command resumes it, and the merged tables are those of a
// single machine, to the byte.
func TestASlurmArrayIsOneMachine(t *testing.T) {
	cluster(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "study.yaml"), clusterStudy)
	quiet(t, "sweep", filepath.Join(dir, "study.yaml"), "-o", filepath.Join(dir, "one"))
	sweep := func(args ...string) string {
		t.Helper()
		c := exec.Command("smartinco", append([]string{"sweep"}, args...)...)
		c.Dir = dir
		b, err := c.CombinedOutput()
		if err != nil && c.ProcessState.ExitCode() != 1 {
			t.Fatalf("%q: %v\n%s", args, err, b)
		}
		return string(b)
	}
	submit := []string{"study.yaml", "-o", "many", "--slurm", "--sbatch", "--time=10"}
	said := sweep(submit...)
	var job string
	if _, err := fmt.Sscanf(said, "job %s", &job); err != nil || !strings.Contains(said, "--array=1-4 of 4 tasks") {
		t.Fatalf("the array was not submitted: %s", said)
	}
	job = strings.TrimSuffix(job, ":")
	if said := sweep(submit...); !strings.Contains(said, "nothing to submit: what is missing is in the queue") {
		t.Errorf("what is in the queue was submitted again: %s", said)
	}
	met(t, "the last task is at work", func() bool {
		_, err := os.Stat(filepath.Join(dir, "many", "study-duration=6s", "run.json"))
		return err == nil
	})
	slurm(t, "scancel", "--full", "--signal=KILL", job+"_4")
	met(t, "the job has ended", func() bool { return slurm(t, "squeue", "--noheader") == "" })

	if said := sweep("merge", "study.yaml", "-o", "many"); !strings.Contains(said, "1 of 4 runs are missing") ||
		!strings.Contains(said, "--array=4 of 4") {
		logs(t, dir)
		t.Fatalf("after the kill: %s", said)
	}
	if _, err := os.Stat(filepath.Join(dir, "many", "summary.csv")); err == nil {
		t.Error("there is a summary without the killed run")
	}
	if said := sweep(submit...); !strings.Contains(said, "--array=4 of 4 tasks") {
		t.Errorf("the killed task was not submitted: %s", said)
	}
	met(t, "the second job has ended", func() bool { return slurm(t, "squeue", "--noheader") == "" })
	for range 2 {
		if said := sweep("merge", "study.yaml", "-o", "many"); !strings.Contains(said, "4 runs: 4 finished") {
			logs(t, dir)
			t.Fatalf("merged: %s", said)
		}
		for _, name := range []string{"summary.csv", "table.parquet"} {
			one, err1 := os.ReadFile(filepath.Join(dir, "one", name))
			many, err2 := os.ReadFile(filepath.Join(dir, "many", name))
			if err1 != nil || err2 != nil || !bytes.Equal(one, many) {
				t.Errorf("%s differs from that of one machine: %v, %v", name, err1, err2)
			}
		}
	}
	if said := sweep(submit...); !strings.Contains(said, "nothing is missing") {
		t.Errorf("a finished study was submitted: %s", said)
	}
}

func logs(t *testing.T, dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, "many", "slurm", "*.log"))
	for _, path := range found {
		b, _ := os.ReadFile(path)
		t.Logf("%s: %s", filepath.Base(path), b)
	}
}

// met waits for a condition.
func met(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// slurm runs one of Slurm's commands.
func slurm(t *testing.T, name string, args ...string) string {
	t.Helper()
	b, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, b)
	}
	return string(bytes.TrimSpace(b))
}

// cluster runs Slurm on this machine, with two cores, until the test ends. Its daemons have files, ports and a key of
// their own.
func cluster(t *testing.T) {
	t.Helper()
	needs.Root(t, "it runs the tasks of Slurm")
	for _, program := range []string{"slurmctld", "slurmd", "munged"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.This(t, "no Slurm: install slurm-wlm and munge")
		}
	}
	if testing.Short() {
		t.Skip("not in short mode: the tasks are other processes")
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	key := make([]byte, 128)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("key"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"state", "spool"} {
		if err := os.Mkdir(in(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	write(t, in("slurm.conf"), fmt.Sprintf(`ClusterName=test
SlurmctldHost=%[1]s(127.0.0.1)
SlurmctldPort=%[2]d
SlurmdPort=%[3]d
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=%[4]s/socket
StateSaveLocation=%[4]s/state
SlurmdSpoolDir=%[4]s/spool
SlurmctldPidFile=%[4]s/slurmctld.pid
SlurmdPidFile=%[4]s/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
JobRequeue=0
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=2 RealMemory=100 State=UNKNOWN
PartitionName=p Nodes=%[1]s Default=YES MaxTime=INFINITE State=UP
`, host, freePort(t), freePort(t), dir))
	if is := slurm(t, "slurmd", "-V"); is >= "slurm-wlm 23" { // the word is new in 23.02
		write(t, in("cgroup.conf"), "CgroupPlugin=disabled\n")
	}
	t.Setenv("SLURM_CONF", in("slurm.conf"))
	daemon(t, "munged", "--foreground", "--force", "--key-file="+in("key"), "--socket="+in("socket"),
		"--pid-file="+in("munged.pid"), "--log-file="+in("munged.log"), "--seed-file="+in("seed"))
	met(t, "munged listens", func() bool { _, err := os.Stat(in("socket")); return err == nil })
	daemon(t, "slurmctld", "-D")
	daemon(t, "slurmd", "-D", "-N", host)
	met(t, "the node is idle", func() bool {
		b, _ := exec.Command("sinfo", "--noheader", "--format=%T").Output()
		return string(bytes.TrimSpace(b)) == "idle"
	})
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// daemon runs a program until the test ends. What it said is shown if the test fails.
func daemon(t *testing.T, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	var said locked
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Signal(syscall.SIGTERM)
		slow := time.AfterFunc(10*time.Second, func() { c.Process.Kill() })
		c.Wait()
		slow.Stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", name, said.String())
		}
	})
}
