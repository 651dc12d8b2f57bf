package docker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
)

// The labels of a container.
const (
	labelTestbed  = "smartinco.testbed"
	labelOwner    = "smartinco.owner"
	labelInstance = "smartinco.instance"
	labelPort     = "smartinco.port"
)

// Engine is a hw.ContainerEngine.
type Engine struct {
	config Config
	cli    *client.Client
	pool   *pool
	deaths chan hw.Death
	stop   context.CancelFunc
	done   chan struct{}

	unswept error // why devices are left, if Config.Cleaning tolerates it

	mu    sync.Mutex
	alive map[string]flow.Instance // by ID, the containers whose end is a Death
	// those whose Death was reported; the engine may list them as running for a moment longer
	dead map[string]bool
	owed map[int]flow.Instance // ports still to be given back, with the instance that had each
}

var _ hw.ContainerEngine = (*Engine)(nil)

// Open connects to the engine, agrees on a version of its API, and finds the ports that containers of an earlier run
// have. It removes devices of the pool that belong to no container.
func Open(ctx context.Context, c Config) (*Engine, error) {
	e, err := open(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	return e, nil
}

func open(ctx context.Context, c Config) (*Engine, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	cli, err := connect(&c)
	if err != nil {
		return nil, err
	}
	e := &Engine{config: c, cli: cli, deaths: make(chan hw.Death, 64), done: make(chan struct{}),
		alive: map[string]flow.Instance{}, dead: map[string]bool{}, owed: map[int]flow.Instance{}}
	var ping types.Ping
	if ping, err = cli.Ping(ctx); err == nil {
		cli.NegotiateAPIVersionPing(ping)
		err = oldest(cli)
	}
	if err == nil {
		err = e.openPool(ctx)
	}
	if err != nil {
		cli.Close()
		return nil, reachable(cli, err)
	}
	watch, stop := context.WithCancel(context.Background())
	e.stop = stop
	go e.watch(watch)
	return e, nil
}

// connect makes a client and sends the engine nothing.
func connect(c *Config) (*client.Client, error) {
	opts := []client.Opt{client.WithAPIVersionNegotiation(), client.WithUserAgent("smartinco")}
	check := *c
	if c.Host == "" {
		opts = append(opts, client.WithHostFromEnv())
		if c.TLS == nil {
			opts = append(opts, client.WithTLSClientConfigFromEnv())
			if os.Getenv(client.EnvOverrideCertPath) != "" && os.Getenv(client.EnvTLSVerify) != "" {
				check.TLS = &TLS{}
			}
		}
	} else {
		opts = append(opts, client.WithHost(c.Host))
	}
	if c.TLS != nil {
		opts = append(opts, client.WithTLSClientConfig(c.TLS.CA, c.TLS.Cert, c.TLS.Key))
	}
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, err
	}
	if err := check.checkHost(cli.DaemonHost()); err != nil {
		cli.Close()
		return nil, err
	}
	return cli, nil
}

// leastAPI is the version that Docker Engine 20.10 speaks, the oldest engine that this driver was tried with.
const leastAPI = "1.41"

// oldest refuses an engine that speaks only older versions.
func oldest(cli *client.Client) error {
	if v := cli.ClientVersion(); versions.LessThan(v, leastAPI) {
		return fmt.Errorf("the engine at %s speaks version %s of the API: want Docker Engine 20.10 or later, which "+
			"speaks %s", cli.DaemonHost(), v, leastAPI)
	}
	return nil
}

// isTLS says whether an error is about certificates, or about TLS that only one side speaks. The client keeps some of
// these errors as text only. Of texts, only those about the connection count, since the engine and the containers may
// speak of other certificates. An engine with TLS answers a client without.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	if errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) {
		return true
	}
	if errdefs.IsInvalidArgument(err) && strings.Contains(err.Error(), "HTTP request to an HTTPS server") {
		return true
	}
	if !client.IsErrConnectionFailed(err) {
		return false
	}
	for _, text := range []string{"tls: ", "x509: ", "TLS", "HTTPS", "malformed HTTP response \"\\x15\\x03"} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

// reachable says what to do about an engine that does not answer.
func reachable(cli *client.Client, err error) error {
	if err != nil && isTLS(err) {
		return fmt.Errorf("TLS with the engine at %s failed (are ca, cert and key those that it wants, valid today, "+
			"its own certificate for this address, and does it speak TLS at this port?): %w", cli.DaemonHost(), err)
	}
	if client.IsErrConnectionFailed(err) {
		if strings.Contains(err.Error(), "permission denied") { // the client keeps no more of the reason
			return fmt.Errorf("this user may not speak to the engine at %s (be root, or of its group): %w",
				cli.DaemonHost(), err)
		}
		return fmt.Errorf("no engine answers at %s (start it: systemctl start docker): %w", cli.DaemonHost(), err)
	}
	return err
}

// filter finds this testbed's containers.
func (e *Engine) filter() filters.Args {
	return filters.NewArgs(filters.Arg("label", labelTestbed+"="+e.config.Testbed),
		filters.Arg("label", labelOwner+"="+e.config.Owner))
}

func (e *Engine) containerName(i flow.Instance) string {
	parts := []string{"smartinco", e.config.Testbed}
	if e.config.Owner != "" {
		parts = append(parts, e.config.Owner)
	}
	return strings.Join(append(parts, strconv.Itoa(int(i))), "-")
}

// Create implements hw.ContainerEngine.
func (e *Engine) Create(ctx context.Context, i flow.Instance) (hw.Container, error) {
	c, err := e.create(ctx, i)
	if err != nil {
		return hw.Container{}, fmt.Errorf("docker: instance %d: %w", i, reachable(e.cli, err))
	}
	return c, nil
}

func (e *Engine) create(ctx context.Context, i flow.Instance) (_ hw.Container, err error) {
	begin := time.Now()
	slot, err := e.pool.take()
	if errors.Is(err, ErrNoPort) {
		_ = e.giveBack(ctx, 0) // as many as possible by now
		slot, err = e.pool.take()
	}
	if err != nil {
		return hw.Container{}, err
	}
	// What must be undone is undone even after ctx has ended.
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	defer func() {
		if err == nil {
			return
		}
		e.owe(slot, i)
		if e2 := e.giveBack(undo, i); e2 != nil {
			err = errors.Join(err, e2)
		}
	}()

	config, host := e.spec(i, slot)
	made, err := e.cli.ContainerCreate(ctx, config, host, nil, nil, e.containerName(i))
	if err != nil {
		if errdefs.IsNotFound(err) {
			err = fmt.Errorf("image %q: build or load it first: %w", e.config.Image, err)
		}
		return hw.Container{}, err
	}
	defer func() {
		if err == nil {
			return
		}
		if e2 := e.remove(undo, made.ID); e2 != nil {
			err = errors.Join(err, e2)
		}
	}()
	if err := e.cli.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		return hw.Container{}, err
	}
	started := time.Since(begin)
	state, err := e.cli.ContainerInspect(ctx, made.ID)
	if err != nil {
		return hw.Container{}, err
	}
	if !state.State.Running {
		return hw.Container{}, e.ended(ctx, made.ID)
	}
	if err := e.pool.attach(ctx, slot, state.State.Pid); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // its process has ended, and the engine will soon know
			waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			gone, _ := e.cli.ContainerWait(waiting, made.ID, container.WaitConditionNotRunning)
			select {
			case <-gone:
				err = e.ended(ctx, made.ID)
			case <-waiting.Done():
			}
		}
		return hw.Container{}, err
	}
	// From here on, the probe or Deaths reports a death.
	if err := e.probe(ctx, made.ID); err != nil {
		return hw.Container{}, err
	}
	ready := time.Since(begin)
	e.mu.Lock()
	e.alive[made.ID] = i
	e.mu.Unlock()
	// The container may have died before it was in that list.
	if state, err = e.cli.ContainerInspect(ctx, made.ID); err == nil && !state.State.Running {
		err = e.ended(ctx, made.ID)
	}
	if err != nil {
		e.mu.Lock()
		delete(e.alive, made.ID)
		e.mu.Unlock()
		return hw.Container{}, err
	}
	return hw.Container{Instance: i, ID: made.ID, Ports: e.pool.ports(slot), Running: true, Started: started,
		Ready: ready}, nil
}

// remove ends a container, at once or after the time of grace.
func (e *Engine) remove(ctx context.Context, id string) error {
	if e.config.Grace > 0 {
		seconds := int((e.config.Grace + time.Second - 1) / time.Second)
		if err := e.cli.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds}); err != nil &&
			!errdefs.IsNotFound(err) {
			return err
		}
	}
	err := e.cli.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil, errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err): // somebody else is removing it
		gone, failed := e.cli.ContainerWait(ctx, id, container.WaitConditionRemoved)
		select {
		case <-gone:
			return nil
		case err := <-failed:
			if errdefs.IsNotFound(err) {
				return nil
			}
			return err
		}
	}
	return err
}

// Delete implements hw.ContainerEngine.
func (e *Engine) Delete(ctx context.Context, i flow.Instance) error {
	if err := e.delete(ctx, i); err != nil {
		return fmt.Errorf("docker: instance %d: %w", i, reachable(e.cli, err))
	}
	return nil
}

func (e *Engine) delete(ctx context.Context, i flow.Instance) error {
	filter := e.filter()
	filter.Add("label", labelInstance+"="+strconv.Itoa(int(i)))
	found, err := e.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
	if err != nil {
		return err
	}
	for _, c := range found {
		e.mu.Lock()
		_, was := e.alive[c.ID]
		delete(e.alive, c.ID)
		e.mu.Unlock()
		if err := e.remove(ctx, c.ID); err != nil {
			if was {
				e.mu.Lock()
				e.alive[c.ID] = i
				e.mu.Unlock()
			}
			return err
		}
		if slot, ok := e.pool.byName(c.Labels[labelPort]); ok {
			e.owe(slot, i)
		}
	}
	return e.giveBack(ctx, i)
}

// owe notes that a port is to be given back.
func (e *Engine) owe(slot int, i flow.Instance) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.owed[slot] = i
}

// giveBack gives back the ports that the instance had, or all owed ports if i is 0. A port whose devices cannot be
// removed stays owed.
func (e *Engine) giveBack(ctx context.Context, i flow.Instance) error {
	e.mu.Lock()
	due := map[int]flow.Instance{}
	for slot, of := range e.owed {
		if i == 0 || of == i {
			due[slot] = of
			delete(e.owed, slot) // nobody else may give it back meanwhile, when another instance may have it
		}
	}
	e.mu.Unlock()
	var errs []error
	for slot, of := range due {
		if err := e.pool.give(ctx, slot); err != nil {
			e.owe(slot, of)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Kill implements hw.ContainerEngine.
func (e *Engine) Kill(ctx context.Context, i flow.Instance) error {
	err := e.cli.ContainerKill(ctx, e.containerName(i), "SIGKILL")
	if err != nil {
		return fmt.Errorf("docker: instance %d: %w", i, reachable(e.cli, err))
	}
	return nil
}

// List implements hw.ContainerEngine. From then on, Deaths reports the running containers too.
func (e *Engine) List(ctx context.Context) ([]hw.Container, error) {
	found, err := e.list(ctx)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", reachable(e.cli, err))
	}
	e.mu.Lock()
	for _, c := range found {
		if c.Running && !e.dead[c.ID] { // it may have died meanwhile
			e.alive[c.ID] = c.Instance
		}
	}
	e.mu.Unlock()
	return found, nil
}

func (e *Engine) list(ctx context.Context) ([]hw.Container, error) {
	found, err := e.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: e.filter()})
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]hw.Container, 0, len(found))
	for _, c := range found {
		n, err := strconv.ParseInt(c.Labels[labelInstance], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("container %.12s: label %s is %q: want an instance's number", c.ID, labelInstance,
				c.Labels[labelInstance])
		}
		h := hw.Container{Instance: flow.Instance(n), ID: c.ID, Running: c.State == container.StateRunning &&
			!e.dead[c.ID], Created: time.Unix(c.Created, 0)}
		if slot, ok := e.pool.byName(c.Labels[labelPort]); ok {
			h.Ports = e.pool.ports(slot)
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b hw.Container) int { return cmp.Compare(a.Instance, b.Instance) })
	return out, nil
}

// Now is the time by the engine's clock, on which Container.Created is based.
func (e *Engine) Now(ctx context.Context) (time.Time, error) {
	info, err := e.cli.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("docker: %w", reachable(e.cli, err))
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return now, fmt.Errorf("docker: the engine's time: %w", err)
	}
	return now, nil
}

// openPool finds out which ports are taken.
func (e *Engine) openPool(ctx context.Context) (err error) {
	if e.pool, err = newPool(&e.config); err != nil {
		return err
	}
	found, err := e.cli.ContainerList(ctx, container.ListOptions{All: true, Filters: e.filter()})
	if err != nil {
		return err
	}
	for _, c := range found {
		e.pool.taken(c.Labels[labelPort])
	}
	if err := e.pool.sweep(ctx); !e.config.Cleaning {
		return err
	} else if err != nil {
		e.unswept = fmt.Errorf("docker: devices of ports that no container has: %w", err)
	}
	return nil
}

// Close ends the watch for deaths. Containers go on. With Config.Cleaning, it returns an error if Open could not remove
// devices.
func (e *Engine) Close() error {
	e.stop()
	<-e.done
	return errors.Join(e.unswept, e.pool.close(), e.cli.Close())
}

// Deaths implements hw.ContainerEngine.
func (e *Engine) Deaths() <-chan hw.Death { return e.deaths }

// Facts are what an engine says of itself.
type Facts struct {
	Version, API string // the engine's version, and the version of the API that is spoken with it
	CgroupDriver string // cgroupfs or systemd
}

// Info asks the engine for facts. Of the configuration it reads Host, TLS and PlainTCP alone.
func Info(ctx context.Context, c Config) (Facts, error) {
	cli, err := connect(&c)
	if err != nil {
		return Facts{}, fmt.Errorf("docker: %w", err)
	}
	defer cli.Close()
	info, err := cli.Info(ctx)
	if err != nil {
		return Facts{}, fmt.Errorf("docker: %w", reachable(cli, err))
	}
	return Facts{info.ServerVersion, cli.ClientVersion(), info.CgroupDriver}, nil
}
