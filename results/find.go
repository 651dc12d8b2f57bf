package results

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// ErrNoRecord is that there is no record where one was looked for.
var ErrNoRecord = errors.New("no record in it or below it")

// Find lists the directories of the records in dir and below it, in order of their paths. A record itself gives itself, and
// nothing is looked for below one. What holds run.json is taken for a record: Open says what is wrong with it. Symbolic
// links below dir are not followed. Where there is none, the error is ErrNoRecord; where dir is not there, fs.ErrNotExist.
func Find(dir string) (dirs []string, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	root := dir + string(filepath.Separator) // a link to a directory is followed
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		_, err = os.Lstat(filepath.Join(path, runName))
		if err == nil {
			dirs = append(dirs, filepath.Clean(path))
			return fs.SkipDir
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	if err == nil && len(dirs) == 0 {
		err = fmt.Errorf("%s: %w: want what run or sweep wrote", dir, ErrNoRecord)
	}
	slices.Sort(dirs)
	return dirs, err
}
