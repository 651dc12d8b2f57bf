package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/smartinco/smartinco/hw/docker"
)

// Part is one part of a lab.
type Part struct {
	Name   string `json:"part"`
	Up     bool   `json:"up"`
	Detail string `json:"detail"`
}

// Status looks at each part of a lab. A part that does not exist is no error.
func Status(ctx context.Context, c Config) ([]Part, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	network := Part{"network", c.hasNamespace(), "namespace " + c.namespace()}
	generator := Part{Name: "generator", Detail: c.Listen}
	if running := c.generators(); len(running) > 0 {
		generator.Detail = fmt.Sprintf("process %d at %s", running[0], c.Listen)
		conn, err := net.DialTimeout("tcp", c.Listen, time.Second)
		if generator.Up = err == nil; generator.Up {
			conn.Close()
		} else {
			generator.Detail += " does not answer"
		}
	}
	instances := Part{Name: "instances"}
	if images, containers, err := docker.Count(ctx, docker.Config{Host: c.Docker, Testbed: c.Name}); err != nil {
		instances.Detail = err.Error()
	} else {
		instances.Up = images > 0
		instances.Detail = fmt.Sprintf("image %s, %d containers", c.image(), containers)
		if images == 0 {
			instances.Detail = fmt.Sprintf("no image, %d containers", containers)
		}
	}
	file := Part{Name: "testbed file", Detail: c.Testbed()}
	_, err := os.Stat(c.Testbed())
	file.Up = err == nil
	return []Part{network, c.switchStatus(ctx), generator, instances, file}, nil
}
