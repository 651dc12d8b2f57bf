package optimize

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// The files in a search's directory, beside the rows of its runs.
const (
	PointsName = "points.csv" // all that was looked at, in the order of the search
	BestName   = "best.csv"   // what was found, written last
)

// foundBy begins a scenario that a search has written.
const foundBy = "# Found by smartinco optimize"

// clear removes what an earlier search left, so that a search that ends early leaves nothing that looks like its own.
// A file that this program did not write is refused.
func clear(dir string) error {
	begins := map[string]string{BestName: "file,point,", PointsName: "point,"}
	paths, err := filepath.Glob(filepath.Join(dir, "front-*.yaml"))
	if err != nil {
		return err
	}
	for _, name := range []string{BestName, PointsName, scenarioName(0, 1)} {
		paths = append(paths, filepath.Join(dir, name))
	}
	for _, path := range paths {
		b, err := strictyaml.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !strings.HasPrefix(string(b), cmp.Or(begins[filepath.Base(path)], foundBy)) {
			return refused{fmt.Errorf("%s: this program did not write it: want another directory", path)}
		}
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// scenarioName is the file of the i-th of n that were found.
func scenarioName(i, n int) string {
	if n == 1 {
		return "best.yaml"
	}
	return fmt.Sprintf("front-%0*d.yaml", len(strconv.Itoa(n)), i+1)
}

// write writes the files of a finished search.
func (j *job) write(dir string, r *Result, found []*entry) error {
	if err := results.WriteFile(filepath.Join(dir, PointsName), j.writePoints); err != nil {
		return err
	}
	for i := range r.Best {
		name := scenarioName(i, len(r.Best))
		text, err := j.scenarioText(dir, strings.TrimSuffix(name, ".yaml"), r, &r.Best[i])
		if err != nil {
			return err
		}
		path := filepath.Join(dir, name)
		r.Best[i].File = path
		if err := results.WriteFile(path, func(w io.Writer) error {
			_, err := w.Write(text)
			return err
		}); err != nil {
			return err
		}
	}
	return results.WriteFile(filepath.Join(dir, BestName), func(w io.Writer) error { return j.writeBest(w, r) })
}

// scenarioText is the whole scenario of a point, with every key. Files that it names are found from dir.
func (j *job) scenarioText(dir, suffix string, r *Result, f *Found) ([]byte, error) {
	name := j.root.Name + "-" + suffix
	sc, err := j.scenario(f.Settings, "name="+name)
	if err != nil {
		return nil, err
	}
	var moved []string
	for _, file := range sc.Files() {
		path, err := relative(dir, file.Path)
		if err != nil {
			return nil, err
		}
		moved = append(moved, file.Key+"="+strconv.Quote(path))
	}
	if len(moved) > 0 {
		if sc, err = j.scenario(f.Settings, append(moved, "name="+name)...); err != nil {
			return nil, err
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, foundBy+", search %s: %d runs, seed %d.\n", comment(j.Name), r.Runs, j.Seed)
	for _, set := range f.Settings {
		fmt.Fprintf(&b, "#   %s: %s\n", set.Key, comment(set.Value))
	}
	for k, o := range r.Objectives {
		fmt.Fprintf(&b, "# %s: %s in the search, %s under fresh seeds\n", comment(o), number(f.Search[k]),
			number(f.Fresh[k].Mean))
	}
	b.WriteString("# Every key stands here, those that the search did not vary as well.\n")
	b.Write(sc.YAML())
	return []byte(b.String()), nil
}

// comment is a text on one line.
func comment(s string) string { return strings.Join(strings.Fields(s), " ") }

// relative is the path to a file from a directory, both as they lie in the working directory.
func relative(dir, file string) (string, error) {
	if filepath.IsAbs(file) {
		return file, nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	return filepath.Rel(from, to)
}

// writePoints writes a row for each point.
func (j *job) writePoints(out io.Writer) error {
	w := csv.NewWriter(out)
	head := []string{"point"}
	for i := range j.axes {
		head = append(head, j.axes[i].key)
	}
	head = append(head, "seeds")
	for _, o := range j.Objectives {
		head = append(head, o.text)
	}
	w.Write(append(head, "violation", "refused"))
	for _, e := range j.ledger.tried {
		line := append([]string{strconv.Itoa(e.number)}, j.cells(j.space.settings(&e.point))...)
		s := j.ledger.score(e, len(e.outcomes))
		seeds, values, violation, why := strconv.Itoa(len(e.outcomes)), make([]string, len(j.Objectives)), "", ""
		if s.refused != nil {
			seeds, why = "0", comment(s.refused.Error())
		} else {
			violation = number(s.violation)
			for k, v := range s.values {
				values[k] = number(j.natural(k, v))
			}
		}
		line = append(append(line, seeds), values...)
		w.Write(append(line, violation, why))
	}
	w.Flush()
	return w.Error()
}

// cells are the settings by axes; empty for a key that the point does not have.
func (j *job) cells(settings []Setting) []string {
	cells := make([]string, len(j.axes))
	for i := range j.axes {
		for _, set := range settings {
			if set.Key == j.axes[i].key {
				cells[i] = set.Value
			}
		}
	}
	return cells
}

// writeBest writes a row for each point that was found.
func (j *job) writeBest(out io.Writer, r *Result) error {
	w := csv.NewWriter(out)
	head := []string{"file", "point"}
	for i := range j.axes {
		head = append(head, j.axes[i].key)
	}
	for _, o := range j.Objectives {
		head = append(head, o.text, o.text+" fresh", o.text+" low", o.text+" high")
	}
	w.Write(append(head, "broken", "dominated"))
	for i := range r.Best {
		f := &r.Best[i]
		line := append([]string{filepath.Base(f.File), strconv.Itoa(f.number)}, j.cells(f.Settings)...)
		for k := range j.Objectives {
			line = append(line, number(f.Search[k]), number(f.Fresh[k].Mean), number(f.Fresh[k].Low),
				number(f.Fresh[k].High))
		}
		w.Write(append(line, strconv.FormatBool(f.Broken), strconv.FormatBool(f.Dominated)))
	}
	w.Flush()
	return w.Error()
}

// number is a value as tables have it; nothing for none.
func number(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
