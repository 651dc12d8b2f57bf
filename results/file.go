package results

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteFile writes a file beside path and gives it that name when all is written, so that there is never half a file of
// that name. It is for what is made from records: figures, tables, summaries.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	defer func() {
		if err != nil && tmp != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
		if e := (*fs.PathError)(nil); errors.As(err, &e) && (tmp == nil || e.Path == tmp.Name()) {
			e.Path = path // what the caller asked for
		}
	}()
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(tmp, 1<<18)
	if err = write(b); err != nil {
		return err
	}
	if err = b.Flush(); err != nil {
		return err
	}
	if err = tmp.Chmod(0o644); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
