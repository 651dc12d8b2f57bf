package study

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/scenarios"
)

// Shard is one of several parts of a study that can be run at a time, on different machines, in one directory. The zero
// Shard is the whole study. Task is counted from 1.
type Shard struct{ Task, Tasks int }

// ParseShard reads a shard as the command line has it, such as 3/8.
func ParseShard(s string) (Shard, error) {
	task, tasks, ok := strings.Cut(s, "/")
	i, err1 := strconv.Atoi(task)
	n, err2 := strconv.Atoi(tasks)
	if !ok || err1 != nil || err2 != nil || i < 1 || i > n || n > scenarios.MaxRuns {
		return Shard{}, refusef("shard %q: want I/N, from 1/N to N/N, with N at most %d", s, scenarios.MaxRuns)
	}
	return Shard{i, n}, nil
}

func (s Shard) String() string { return fmt.Sprintf("%d/%d", s.Task, s.Tasks) }

// whole says that the shard is all of the study.
func (s Shard) whole() bool { return s == Shard{} }

// shardsName is the folder in a study's directory in which each shard has one of its own.
const shardsName = "shards"

func (s Shard) folder() string { return fmt.Sprintf("%d-of-%d", s.Task, s.Tasks) }

// task is the task of so many that has the unit: units are dealt out in turn.
func task(unit, tasks int) int { return unit%tasks + 1 }

// unitsOf are the runs of a study that must be run by one process, one after the other: each run is one, and where the
// number of replicas depends on what they come to, each combination.
func unitsOf(st *scenarios.Study) (all [][]int) {
	for i := range st.Runs {
		if st.Replicas == nil || st.Runs[i].Replica == 0 {
			all = append(all, nil)
		}
		all[len(all)-1] = append(all[len(all)-1], i)
	}
	return all
}

// mostTasks is the largest array that Slurm takes by default (MaxArraySize, slurm.conf(5)).
const mostTasks = 1000

// Tasks is how many tasks a study is cut into unless somebody says otherwise: one for each run, or for each combination
// where replicas are counted, and at most 1000.
func Tasks(st *scenarios.Study) int { return min(len(unitsOf(st)), mostTasks) }

// ArrayOf writes task numbers, which are in increasing order, as Slurm's --array does: 1,4-6.
func ArrayOf(tasks []int) string {
	var b strings.Builder
	for i := 0; i < len(tasks); {
		j := i
		for j+1 < len(tasks) && tasks[j+1] == tasks[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(tasks[i]))
		if j > i {
			b.WriteString("-" + strconv.Itoa(tasks[j]))
		}
		i = j + 1
	}
	return b.String()
}
