#!/bin/bash
# Annotates the videos of a list with an array of Slurm jobs:
#
#   sbatch --array=0-19 cluster/slurm.sh videos.txt annotated/
#
# Every task takes its shard of the list: Slurm says which in SLURM_ARRAY_TASK_ID, _MIN and _COUNT, and --shard auto
# reads that. Run the same command again as often as you like: what is complete is skipped, and after the first run it takes
# seconds. To run only some tasks again, say how many there were: SHARD=auto/20 sbatch --array=3,7 cluster/slurm.sh …
# `facemark status annotated/` says how far all of them have come.
#
# The list, the videos and the outputs must be on a file system that all nodes share.
#
#SBATCH --job-name=facemark
#SBATCH --array=0-19
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=1G
#SBATCH --time=12:00:00
# A task whose node dies, or that makes room for another job, goes back into the queue. It continues where it was.
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=facemark-%A_%a.log
# Two minutes before its time is over, a task is stopped properly: see below.
#SBATCH --signal=B:TERM@120

set -u
list=${1:?the list of videos, one a line}
out=${2:?the folder for the outputs}
shift 2

# What to write, and how: everything after the folder goes to facemark, e.g. --model large. Without -o, --jsonl or --csv
# it is JSON lines.
case " $* " in
*" -o "* | *" --jsonl "* | *" --csv "*) ;;
*) set -- --jsonl "$out" "$@" ;;
esac

# SIGTERM ends facemark after the frame that it is at. Videos that are complete stay so, and the others are begun anew when
# the task comes back from the queue.
"${FACEMARK:-facemark}" annotate --list "$list" --shard "${SHARD:-auto}" --jobs "${SLURM_CPUS_PER_TASK:-1}" \
    --retries 1 "$@" &
facemark=$!
stopped=
trap 'stopped=1; kill -TERM $facemark' TERM
wait $facemark
code=$?
# A signal interrupts the first `wait`.
if [ -n "$stopped" ]; then
    wait $facemark
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
    code=143
fi
exit $code
