#!/usr/bin/env -S python3 -B
"""Annotates 480 videos with cluster/slurm.sh on three nodes of a real Slurm, one of which is killed: `make test-cluster`."""

import sys

from slurm import ROOT, PROGRAM, Slurm, Videos, Watch, outputs
from seen import Checks, until, work_folder

NODES = 3
OUT = "out/"


def work(checks, videos):
    with Slurm(videos.folder, NODES) as slurm:
        slurm.environment["FACEMARK"] = str(PROGRAM)
        array = [f"--array=5-{4 + NODES}", "--cpus-per-task=1", "--mem-per-cpu=0"]
        command = [*array, ROOT / "cluster/slurm.sh", "list.txt", OUT, *outputs(OUT)]
        job = slurm.submit(*command, cwd=videos.folder)
        watch = Watch(videos, OUT, NODES)
        third = len(videos.names) // 3
        checks.that("a third is done", until(lambda: len(videos.complete(OUT)) > third, 600), len(videos.complete(OUT)))
        at_work = slurm.ask("squeue", "-h", "-r", "-t", "R", "-o", "%N").split()
        checks.equal("all nodes are at work", sorted(at_work), slurm.nodes)
        before = len(videos.complete(OUT))
        slurm.kill(slurm.nodes[1])
        checks.that("some are not done when the node is killed", before < len(videos.names))
        checks.that("status tells of what was interrupted", until(lambda: videos.status(OUT)["interrupted"] == 1, 5), videos.status(OUT))
        checks.that("the job ends", until(lambda: slurm.is_over(job), 900), slurm.ask("squeue"))
        attempts = watch.end(checks)
        checks.equal("only what was interrupted was begun twice", sorted(attempts)[-2:], [1, 2])
        for shard in range(NODES):
            seconds, said = videos.shard(f"{shard}/{NODES}", OUT)
            checks.that(f"shard {shard} has nothing left to do, {seconds:.2f} s", seconds < 5 and " 0 annotated" in said, said)


if __name__ == "__main__":
    sys.exit(Checks().run([work], lambda _: Videos(work_folder("cluster-slurm"))))
