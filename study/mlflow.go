package study

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios"
)

// MLflow writes a finished study to a directory as MLflow's file store has it, which mlflow ui --backend-store-uri
// shows: an experiment for the study, a run for each run, with the coordinates as parameters and the numbers of the
// table as metrics. Names and files depend on the study alone, so that it can be repeated. Runs carry no times: they
// began and ended at 0.
func MLflow(ctx context.Context, st *scenarios.Study, dir, version string, jobs int, to string) error {
	s, err := openSweep(st, dir, version)
	if err != nil {
		return err
	}
	status, err := s.status(ctx, Tasks(st), jobs)
	if err != nil {
		return err
	}
	if len(status.Tasks) > 0 {
		return fmt.Errorf("%s: %w: %s", dir, ErrMissing, status.lack())
	}
	number := sha256.Sum256([]byte(st.Name))
	experiment := strconv.FormatUint(binary.BigEndian.Uint64(number[:])>>4, 10)
	at := filepath.Join(to, experiment)
	type meta struct {
		ArtifactLocation string `yaml:"artifact_location"`
		CreationTime     int    `yaml:"creation_time"`
		ExperimentID     string `yaml:"experiment_id"`
		LastUpdateTime   int    `yaml:"last_update_time"`
		LifecycleStage   string `yaml:"lifecycle_stage"`
		Name             string `yaml:"name"`
	}
	if err := os.MkdirAll(at, 0o777); err != nil {
		return err
	}
	if err := foreignExperiment(at, st.Name); err != nil {
		return err
	}
	uri := func(parts ...string) (string, error) {
		abs, err := filepath.Abs(filepath.Join(append([]string{at}, parts...)...))
		return "file://" + filepath.ToSlash(abs), err
	}
	where, err := uri()
	if err != nil {
		return err
	}
	if err := writeYAML(filepath.Join(at, "meta.yaml"), meta{where, 0, experiment, 0, "active", st.Name}); err != nil {
		return err
	}
	for i, row := range s.rows {
		if row == nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		run := &st.Runs[i]
		sum := sha256.Sum256([]byte(st.Name + "\n" + run.Name))
		id := hex.EncodeToString(sum[:16])
		artifacts, err := uri(id, "artifacts")
		if err != nil {
			return err
		}
		files := map[string]string{"tags/mlflow.runName": run.Name, "tags/smartinco.version": version}
		for _, c := range run.Coordinates {
			files["params/"+c.Key] = c.Value
		}
		for _, c := range columns {
			if v := c.Of(row); v != true && v != false {
				files["metrics/"+c.Name] = "0 " + cell(v) + " 0\n"
			}
		}
		for _, folder := range []string{"artifacts", "metrics", "params", "tags"} {
			if err := os.MkdirAll(filepath.Join(at, id, folder), 0o777); err != nil {
				return err
			}
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(at, id, name), []byte(text), 0o666); err != nil {
				return err
			}
		}
		if err := writeYAML(filepath.Join(at, id, "meta.yaml"), map[string]any{
			"artifact_uri": artifacts, "end_time": 0, "entry_point_name": "", "experiment_id": experiment,
			"lifecycle_stage": "active", "run_id": id, "run_name": run.Name, "run_uuid": id, "source_name": "",
			"source_type": 4, "source_version": "", "start_time": 0, "status": 3, "tags": []string{},
			"user_id": "smartinco"}); err != nil {
			return err
		}
	}
	return nil
}

// foreignExperiment refuses a folder that has the number of our experiment and is another's.
func foreignExperiment(at, name string) error {
	b, err := os.ReadFile(filepath.Join(at, "meta.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if !strings.Contains(string(b), "\nname: "+name+"\n") {
		return refusef("%s: is an experiment of another name: want another directory for --mlflow", at)
	}
	return nil
}

func writeYAML(path string, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o666)
}
