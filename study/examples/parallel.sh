#!/bin/sh
# Runs a study with GNU parallel, on this machine or, with its options, on several that share the directory:
#
#	study/examples/parallel.sh study.yaml out/study 64 --sshloginfile hosts --workdir .
#
# The third argument is the number of tasks. What is finished is passed over, so the same command resumes a study.
set -eu
study=$1 out=$2 tasks=$3
shift 3
smartinco sweep missing "$study" -o "$out" --tasks "$tasks" --shards |
	parallel "$@" smartinco sweep "$study" -o "$out" --jobs 1 --shard '{}'
smartinco sweep merge "$study" -o "$out" --tasks "$tasks"
