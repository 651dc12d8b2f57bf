package docker

import (
	"archive/tar"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// Image says what to put into an image.
type Image struct {
	Files map[string]string // files of this machine, links followed, by their paths in the image
	Entry []string          // the program in it, and its first arguments
}

// Program makes an Image of a single program, which must be linked statically, and its first arguments.
func Program(path string, args ...string) (Image, error) {
	if err := static(path); err != nil {
		return Image{}, fmt.Errorf("docker: %w", err)
	}
	name := "/" + filepath.Base(path)
	return Image{Files: map[string]string{name: path}, Entry: append([]string{name}, args...)}, nil
}

// AddLinked adds a program or library of this machine with the libraries that it is linked to, at the same paths as
// here.
func (i *Image) AddLinked(ctx context.Context, path string) error {
	out, err := exec.CommandContext(ctx, "ldd", path).Output()
	if err != nil {
		return fmt.Errorf("docker: ldd %s: %w", path, err)
	}
	i.Files[path] = path
	for _, word := range strings.Fields(string(out)) {
		if strings.HasPrefix(word, "/") {
			i.Files[word] = word
		}
	}
	return nil
}

// Import makes an image without asking a registry. The image has the testbed's label, by which Purge finds it. Of the
// configuration, Import reads Host, TLS, PlainTCP and Testbed alone.
func Import(ctx context.Context, c Config, ref string, i Image) error {
	if err := importImage(ctx, &c, ref, i); err != nil {
		return fmt.Errorf("docker: image %s: %w", ref, err)
	}
	return nil
}

func importImage(ctx context.Context, c *Config, ref string, i Image) error {
	cli, err := connect(c)
	if err != nil {
		return err
	}
	defer cli.Close()
	entry, err := json.Marshal(i.Entry)
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	defer r.Close()
	go func() { w.CloseWithError(archive(w, i.Files)) }()
	answer, err := cli.ImageImport(ctx, image.ImportSource{Source: r, SourceName: "-"}, ref, image.ImportOptions{
		Message: "made by smartinco",
		Changes: []string{"ENTRYPOINT " + string(entry), "LABEL " + labelTestbed + "=" + c.Testbed},
	})
	if err != nil {
		return reachable(cli, err)
	}
	defer answer.Close()
	// An error comes in the answer's body, which is a sequence of JSON objects.
	for d := json.NewDecoder(answer); ; {
		var m struct{ Error string }
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("answer of the engine: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		}
	}
}

func archive(w io.Writer, files map[string]string) error {
	t := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := add(t, name, files[name]); err != nil {
			return err
		}
	}
	return t.Close()
}

func add(t *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: info.Size(),
		Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	_, err = io.Copy(t, f)
	return err
}

// static refuses a program that needs a loader, since the image has none.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("%s: %w", program, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically, and an image with nothing else in it cannot run it: build "+
				"it with CGO_ENABLED=0", program)
		}
	}
	return nil
}

// Purge removes all containers of a testbed, of any owner, and the images that Import made for it.
func Purge(ctx context.Context, c Config) error {
	cli, err := connect(&c)
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	defer cli.Close()
	ours := filters.NewArgs(filters.Arg("label", labelTestbed+"="+c.Testbed))
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("docker: %w", reachable(cli, err))
	}
	e := &Engine{cli: cli}
	for _, c := range containers {
		if err := e.remove(ctx, c.ID); err != nil {
			return fmt.Errorf("docker: container %.12s: %w", c.ID, err)
		}
	}
	images, err := cli.ImageList(ctx, image.ListOptions{All: true, Filters: ours})
	if err != nil {
		return fmt.Errorf("docker: %w", err)
	}
	for _, i := range images {
		if _, err := cli.ImageRemove(ctx, i.ID, image.RemoveOptions{Force: true}); err != nil &&
			!errdefs.IsNotFound(err) {
			return fmt.Errorf("docker: image %.19s: %w", i.ID, err)
		}
	}
	return nil
}

// Count counts the images and the containers, running or not, that have a testbed's label.
func Count(ctx context.Context, c Config) (images, containers int, err error) {
	cli, err := connect(&c)
	if err != nil {
		return 0, 0, fmt.Errorf("docker: %w", err)
	}
	defer cli.Close()
	ours := filters.NewArgs(filters.Arg("label", labelTestbed+"="+c.Testbed))
	found, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: ours})
	if err != nil {
		return 0, 0, fmt.Errorf("docker: %w", reachable(cli, err))
	}
	made, err := cli.ImageList(ctx, image.ListOptions{Filters: ours})
	if err != nil {
		return 0, 0, fmt.Errorf("docker: %w", reachable(cli, err))
	}
	return len(made), len(found), nil
}
