package study

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
)

// digests knows the digests of the files that runs depend on. The runs of a study share one: a capture that they all
// read is digested once, and again only when it has changed.
type digests struct {
	mu    sync.Mutex
	known map[string]digest // by path
}

type digest struct {
	info   fs.FileInfo
	sha256 string
}

// same says whether a file is the one that was digested, as far as can be told without reading it.
func (d digest) same(info fs.FileInfo) bool {
	return os.SameFile(d.info, info) && d.info.Size() == info.Size() && d.info.ModTime().Equal(info.ModTime())
}

// of gives the digests of a scenario's files: those that it names, and those that a TRex profile among them names.
func (d *digests) of(ctx context.Context, sc *scenarios.Scenario) (files, error) {
	var taken files
	add := func(f scenarios.File) error {
		sum, err := d.file(ctx, f.Path)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Key, err)
		}
		taken = append(taken, file{f, sum})
		return nil
	}
	for _, f := range sc.Files() {
		if err := add(f); err != nil {
			return nil, err
		}
	}
	for i := range sc.Workload {
		m := sc.Workload[i].Model
		if m == nil || m.Name != "trex" {
			continue
		}
		key := fmt.Sprintf("workload.%d.model.file", i)
		names, paths, err := traces.MixFiles(sc.Path(m.File))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		for j := range names {
			if err := add(scenarios.File{Key: key, Name: names[j], Path: paths[j]}); err != nil {
				return nil, err
			}
		}
	}
	return taken, nil
}

// file digests a file, unless its digest is known. The runs of a study wait for each other here, since most want the
// same file.
func (d *digests) file(ctx context.Context, path string) (digest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	info, err := os.Stat(path)
	if err != nil {
		return digest{}, err
	}
	if known, ok := d.known[path]; ok && known.same(info) {
		return known, nil
	}
	if !info.Mode().IsRegular() {
		return digest{}, fmt.Errorf("%s: want a regular file: a run must find the same in it when it is repeated", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return digest{}, err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, &until{ctx, f}); err != nil {
		return digest{}, fmt.Errorf("%s: %w", path, err)
	}
	found := digest{info, hex.EncodeToString(sum.Sum(nil))}
	if d.known == nil {
		d.known = map[string]digest{}
	}
	d.known[path] = found
	return found, nil
}

// file is a file as it was digested for one run.
type file struct {
	scenarios.File
	digest
}

// files are those behind a run. Others of the study may have digested the same again since, and found something else.
type files []file

// inputs are the files as the record names them.
func (fs files) inputs() (ins []results.Input) {
	for _, f := range fs {
		ins = append(ins, results.Input{Key: f.Key, File: f.Name, Bytes: f.info.Size(), SHA256: f.sha256})
	}
	return ins
}

// changed returns an error for each file that is no longer the one that was digested: it was written to while it was
// read.
func (fs files) changed() error {
	var errs []error
	for _, f := range fs {
		info, err := os.Stat(f.Path)
		if err != nil {
			err = fmt.Errorf("%s: %w", f.Key, err)
		} else if !f.same(info) {
			err = fmt.Errorf("%s: %s was changed while it was read", f.Key, f.Path)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// until reads until the context ends.
type until struct {
	ctx context.Context
	r   io.Reader
}

func (u *until) Read(b []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(b)
}
