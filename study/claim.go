package study

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/smartinco/smartinco/results"
)

// claim takes a study's directory, or a folder in it, for this process, and makes it if it does not exist. A directory
// that holds a record, or a table that this program did not write, is refused.
func claim(dir, folder string) (*results.DirLock, error) {
	lock, err := results.LockDir(folder)
	if err != nil {
		return nil, refusable(err)
	}
	if err := ownTables(dir); err != nil {
		return nil, errors.Join(err, lock.Abandon())
	}
	if is, _ := results.Holds(dir); is {
		return nil, errors.Join(refusef("%s: holds a record: want a directory for the records of a study", dir),
			lock.Abandon())
	}
	return lock, nil
}

// RecordsName is the folder for records in a directory of ClaimOutput.
const RecordsName = "records"

// ClaimOutput takes a directory for figures and tables for this process and makes it if it does not exist. The records
// that they are made from are in its folder RecordsName. If that folder is missing, a file whose name matches one of
// patterns (see filepath.Match) is somebody else's, and the directory is refused.
func ClaimOutput(dir string, patterns ...string) (*results.DirLock, error) {
	lock, err := results.LockDir(dir)
	if err != nil {
		return nil, refusable(err)
	}
	if info, err := os.Lstat(filepath.Join(dir, RecordsName)); err == nil && info.IsDir() {
		return lock, nil
	}
	if err := noneOf(dir, patterns); err != nil {
		return nil, errors.Join(err, lock.Abandon())
	}
	return lock, nil
}

func noneOf(dir string, patterns []string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, pattern := range patterns {
			if is, _ := filepath.Match(pattern, e.Name()); is {
				return refusef("%s: holds %s and no records: this program did not write it; want another directory",
					dir, results.Quote(e.Name()))
			}
		}
	}
	return nil
}

// refusable makes err a refusal, unless it comes from the file system.
func refusable(err error) error {
	if file := (*fs.PathError)(nil); errors.As(err, &file) {
		return err
	}
	return refusal{err}
}
