package results

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// part is a file of a record. owned says, by the file's content, whether this program wrote it; vouched says that
// run.json holds its checksum. An empty file is not asked about: nothing in it can be lost.
type part struct {
	name  string
	owned func(f *os.File, size int64, vouched bool) bool
}

// parts are all files of a record, in the order in which they are deleted: run.json first, so that what is left of a
// record never passes for a whole one.
var parts = []part{
	{runName, begins("{\n  \"format\": ")},
	{hostName, begins("{\n  \"started\": \"")},
	{windowsName, ownTable},
	{instancesName, ownTable},
	{flowsName, ownTable},
	{latencyName, ownTable},
	{histogramName, ownTable},
	{nodesName, ownTable},
	{logName, begins(`{"t_ps":`)},
	{journalName, begins(journalMagic)},
}

// begins recognises a file by its first bytes. After a kill there may be only some of them.
func begins(with string) func(*os.File, int64, bool) bool {
	return func(f *os.File, size int64, _ bool) bool {
		b := make([]byte, min(size, int64(len(with))))
		_, err := f.ReadAt(b, 0)
		return err == nil && strings.HasPrefix(with, string(b))
	}
}

// createdBy is how Parquet's footer names the program that wrote a table.
const createdBy = "smartinco"

var parquetMagic = []byte("PAR1")

// ownTable recognises a table by its footer, whatever run.json says, since another program may have overwritten it. A
// damaged table without a footer is known by run.json, an unfinished one by its name.
func ownTable(f *os.File, size int64, vouched bool) bool {
	if !begins(string(parquetMagic))(f, size, false) {
		return false
	}
	if size < int64(len(parquetMagic)) {
		return true
	}
	if end, whole := footer(f, size); whole {
		return bytes.Contains(end, []byte(createdBy+" version "))
	}
	return vouched
}

// footer is the end of a table's footer, in which the program that wrote it is named; whole is false where there is
// none.
func footer(f *os.File, size int64) (end []byte, whole bool) {
	tail := make([]byte, 4+len(parquetMagic)) // length, magic
	body := size - int64(len(parquetMagic)+len(tail))
	if body < 0 {
		return nil, false
	}
	if _, err := f.ReadAt(tail, size-int64(len(tail))); err != nil || !bytes.HasSuffix(tail, parquetMagic) {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > body {
		return nil, false
	}
	end = make([]byte, min(n, 1<<12))
	_, err := f.ReadAt(end, size-int64(len(tail)+len(end)))
	return end, err == nil
}

// partsIn lists the files of a record in dir. Any other file, and any that this program did not write, is an error.
func partsIn(dir string) (found []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var run *Run
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), temp); e.Name() != lockName &&
			(e.Name() != nodesFolder || !e.IsDir()) &&
			!slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			return nil, fmt.Errorf("%s: holds %s, which is not part of a record: want a directory that is new, empty "+
				"or a record", dir, Quote(e.Name()))
		}
	}
	if there[runName] {
		if run, err = readRun(dir); err != nil {
			// Not ErrDamaged: the request is at fault.
			return nil, fmt.Errorf("%s: holds files but no record: %v", dir, err)
		}
	}
	for _, p := range parts {
		for _, name := range []string{p.name, p.name + temp} {
			if !there[name] {
				continue
			}
			_, vouched := run.vouches(p.name)
			if err := p.ours(dir, name, vouched || name != p.name); err != nil {
				return nil, err
			}
			found = append(found, name)
		}
	}
	return found, nil
}

// ours is nil if this program wrote the file.
func (p part) ours(dir, name string, vouched bool) error {
	foreign := fmt.Errorf("%s: holds %s, which this program did not write, or which is damaged: want a directory "+
		"that is new, empty or a record", dir, name)
	f, size, err := openRegular(filepath.Join(dir, name))
	if errors.Is(err, errIrregular) {
		return foreign
	} else if err != nil {
		return err
	}
	defer f.Close()
	if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || !info.Mode().IsRegular() {
		return foreign
	}
	if size > 0 && !p.owned(f, size, vouched) {
		return foreign
	}
	return nil
}

// vouches says what run.json knows of a file.
func (r *Run) vouches(name string) (sum string, ok bool) {
	if r == nil {
		return "", false
	}
	if name == logName && r.Log != nil {
		return r.Log.CRC, true
	}
	sum, ok = r.Tables[name]
	return sum, ok
}

// Tidy removes from the directory of a finished record what its writer leaves if it is killed at the very end: the
// journal, temporary files, the lock.
func Tidy(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	left := func(name string) bool {
		return name == journalName || name == lockName ||
			slices.ContainsFunc(parts, func(p part) bool { return name == p.name+temp })
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return left(e.Name()) }) {
		return nil
	}
	lock, err := LockDir(dir)
	if err != nil {
		return err
	}
	found, err := partsIn(dir)
	if err == nil {
		err = removeParts(dir, slices.DeleteFunc(found, func(name string) bool { return !left(name) }))
	}
	return errors.Join(err, lock.Release())
}

// clearDir deletes the record in dir. It deletes nothing if dir holds anything else, or if it may not overwrite.
func clearDir(dir string, overwrite bool) error {
	found, err := partsIn(dir)
	if err != nil || len(found) == 0 {
		return err
	}
	if !overwrite {
		return fmt.Errorf("%s: already holds a record: choose another directory, or overwrite it (--force)", dir)
	}
	if err := clearNodes(dir); err != nil {
		return err
	}
	return removeParts(dir, found)
}

// clearNodes deletes the records of nodes in dir, and what held them. What is no record stays, and is an error.
func clearNodes(dir string) error {
	folder := filepath.Join(dir, nodesFolder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries { // before any is deleted
		if _, err := partsIn(filepath.Join(folder, e.Name())); err != nil {
			return err
		}
	}
	for _, e := range entries {
		node := filepath.Join(folder, e.Name())
		lock, err := LockDir(node)
		if err != nil {
			return err
		}
		if err := errors.Join(clearDir(node, true), lock.Release()); err != nil {
			return err
		}
		if err := os.Remove(node); err != nil {
			return err
		}
	}
	return os.Remove(folder)
}

func removeParts(dir string, names []string) error {
	for _, name := range names {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("replacing the record: %w", err)
		}
	}
	return nil
}

// maxRun bounds run.json, in bytes: a scenario with tens of thousands of points takes less.
const maxRun = 64 << 20

func readRun(dir string) (*Run, error) {
	path := filepath.Join(dir, runName)
	var run Run
	if err := readJSON(path, maxRun, &run); errors.Is(err, syscall.ENOTDIR) {
		return nil, noDirectory(dir)
	} else if err != nil {
		return nil, err
	}
	if run.Format < 1 || run.Format > format {
		return nil, Damaged(fmt.Errorf("%s: format is %d, want 1 to %d: not a record of this program, or one of a "+
			"newer version", path, run.Format, format))
	}
	if run.Tables != nil && run.Log == nil && run.Format > 1 {
		return nil, Damaged(fmt.Errorf("%s: no checksum of %s, want one in a record that has ended", path, logName))
	}
	return &run, nil
}

func noDirectory(path string) error {
	return fmt.Errorf("%s: %w: want one that run or sweep wrote", path, syscall.ENOTDIR)
}

// readJSON reads a file of at most so many bytes.
func readJSON(path string, most int64, v any) error {
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if size > most {
		return Damaged(fmt.Errorf("%s: %d bytes, want at most %d: not a file of a record", path, size, most))
	}
	b := make([]byte, size)
	if n, err := f.ReadAt(b, 0); err != nil && int64(n) < size {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return Damaged(fmt.Errorf("%s: %w", path, bounded{err}))
	}
	return nil
}
