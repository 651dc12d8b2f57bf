package results

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNoRecord says that there is no record where one was looked for.
var ErrNoRecord = errors.New("no record in it or below it")

// Holds says whether dir itself holds a record. What holds run.json is taken for one: Open says what is wrong with it.
func Holds(dir string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir, runName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Find lists the directories of the records in each of dirs and below it, in the order of dirs and then of their paths.
// A directory that holds a record gives itself, and nothing is looked for below it. Symbolic links below dirs are not
// followed. Where one of dirs has no record, the error is ErrNoRecord; where it does not exist, fs.ErrNotExist.
func Find(dirs ...string) ([]string, error) {
	var all []string
	for _, dir := range dirs {
		found, err := below(dir)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("%s: %w: want what run or sweep wrote", dir, ErrNoRecord)
		}
		all = append(all, found...)
	}
	return all, nil
}

// nodesFolder holds the records of the nodes of a rack that have one, in the rack's own directory.
const nodesFolder = "nodes"

// NodeDir is where a node of the rack whose record is in dir has a record of its own.
func NodeDir(dir, node string) string { return filepath.Join(dir, nodesFolder, node) }

// NodeDirs lists the records of nodes in the record of a rack, in order of their paths.
func NodeDirs(dir string) ([]string, error) {
	found, err := below(filepath.Join(dir, nodesFolder))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return found, err
}

// below lists the directories of the records in dir and below it, in order of their paths.
func below(dir string) (found []string, err error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if !info.IsDir() {
		return nil, noDirectory(dir)
	}
	root := dir + string(filepath.Separator) // a link to a directory is followed
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		is, err := Holds(path)
		if is {
			found = append(found, filepath.Clean(path))
			return fs.SkipDir
		}
		return err
	})
	slices.Sort(found)
	return found, err
}

// OpenAll opens every record that Find lists. Reading ends with the context's error when ctx ends; see OpenContext.
func OpenAll(ctx context.Context, dirs ...string) (recs []*Record, err error) {
	for _, dir := range dirs {
		found, err := Find(dir)
		if err != nil {
			return nil, err
		}
		for _, dir := range found {
			rec, err := OpenContext(ctx, dir)
			if err != nil {
				return nil, err
			}
			recs = append(recs, rec)
		}
	}
	return recs, nil
}
