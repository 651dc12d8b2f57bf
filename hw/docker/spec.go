package docker

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/smartinco/smartinco/flow"
)

// spec is the container that the engine is asked for: no network but the ports, no capability but those named, never
// privileged.
func (e *Engine) spec(i flow.Instance, slot int) (*container.Config, *container.HostConfig) {
	c, p := &e.config, e.pool.slots[slot].port
	config := &container.Config{
		Image: c.Image,
		Env:   slices.Concat(c.Env, p.Env, []string{"SMARTINCO_INSTANCE=" + strconv.Itoa(int(i))}),
		Labels: map[string]string{
			labelTestbed: c.Testbed, labelOwner: c.Owner, labelInstance: strconv.Itoa(int(i)),
			labelPort: e.pool.slots[slot].name,
		},
	}
	if len(c.Command)+len(p.Args) > 0 {
		config.Cmd = slices.Concat(c.Command, p.Args)
	}
	host := &container.HostConfig{
		NetworkMode: "none",
		Binds:       slices.Concat(c.Mounts, p.Mounts),
		CapDrop:     []string{"ALL"},
		CapAdd:      append([]string{"NET_RAW"}, c.Capabilities...),
		SecurityOpt: []string{"no-new-privileges"},
		LogConfig:   container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m"}},
	}
	host.CpusetCpus, host.Memory, host.CgroupParent = c.CPUs, c.Memory, c.CgroupParent
	if p.CPUs != "" {
		host.CpusetCpus = p.CPUs
	}
	if c.Quota > 0 {
		host.CPUPeriod, host.CPUQuota = c.quota(c.Quota)
	}
	if c.Hugepages != "" {
		host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: c.Hugepages, Target: c.Hugepages}}
	}
	for _, d := range slices.Concat(c.Devices, p.Devices) {
		host.Devices = append(host.Devices, container.DeviceMapping{PathOnHost: d, PathInContainer: d,
			CgroupPermissions: "rwm"})
	}
	return config, host
}

// quota is so many cores as the engine has it: microseconds of processor time in a period.
func (c *Config) quota(cores float64) (period, quota int64) {
	p := cmp.Or(c.QuotaPeriod, 100*time.Millisecond)
	return p.Microseconds(), int64(cores * float64(p.Microseconds()))
}

// Resize implements hw.Resizer by the container's quota.
func (e *Engine) Resize(ctx context.Context, i flow.Instance, share float64) error {
	var r container.Resources
	r.CPUPeriod, r.CPUQuota = e.config.quota(share * cmp.Or(e.config.Quota, 1))
	_, err := e.cli.ContainerUpdate(ctx, e.containerName(i), container.UpdateConfig{Resources: r})
	if err != nil {
		return fmt.Errorf("docker: instance %d: %w", i, reachable(e.cli, err))
	}
	return nil
}

// probe returns once the container takes packets.
func (e *Engine) probe(ctx context.Context, id string) error {
	timeout := e.config.Probe.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not ready after %v", timeout))
	defer cancel()
	probe := e.probeLog
	if len(e.config.Probe.Exec) > 0 {
		probe = e.probeExec
	}
	err := probe(ctx, id)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w%s", context.Cause(ctx), e.lastLines(context.WithoutCancel(ctx), id))
	}
	return err
}

func (e *Engine) probeLog(ctx context.Context, id string) error {
	logs, err := e.cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true})
	if err != nil {
		return err
	}
	defer logs.Close()
	// The two outputs come in one stream, in pieces with headers.
	r, w := io.Pipe()
	defer r.Close()
	go func() {
		_, err := stdcopy.StdCopy(w, w, logs)
		w.CloseWithError(err)
	}()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if strings.Contains(lines.Text(), e.config.Probe.Log) {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return e.ended(ctx, id)
}

func (e *Engine) probeExec(ctx context.Context, id string) error {
	for {
		x, err := e.cli.ContainerExecCreate(ctx, id,
			container.ExecOptions{Cmd: e.config.Probe.Exec, AttachStdout: true})
		if err != nil {
			if state, e2 := e.cli.ContainerInspect(ctx, id); e2 == nil && !state.State.Running {
				return e.ended(ctx, id)
			}
			return err
		}
		// Its output ends when it does.
		out, err := e.cli.ContainerExecAttach(ctx, x.ID, container.ExecAttachOptions{})
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, out.Close)
		_, _ = io.Copy(io.Discard, out.Reader)
		stop()
		out.Close()
		state, err := e.cli.ContainerExecInspect(ctx, x.ID)
		if err != nil {
			return err
		}
		if !state.Running && state.ExitCode == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ended is the error for a container that ended before it was ready.
func (e *Engine) ended(ctx context.Context, id string) error {
	state, err := e.cli.ContainerInspect(ctx, id)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("container ended: exit code %d", state.State.ExitCode)
	if state.State.Error != "" {
		text += ": " + state.State.Error
	}
	if state.State.OOMKilled {
		text += ", out of memory"
	}
	return errors.New(text + e.lastLines(ctx, id))
}

// lastLines returns the end of a container's output, for an error.
func (e *Engine) lastLines(ctx context.Context, id string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	logs, err := e.cli.ContainerLogs(ctx, id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "5"})
	if err != nil {
		return ""
	}
	defer logs.Close()
	var text strings.Builder
	_, _ = stdcopy.StdCopy(&text, &text, io.LimitReader(logs, 4096))
	if text.Len() == 0 {
		return "; it printed nothing"
	}
	return "; its last output: " + strings.TrimSpace(text.String())
}
