#!/usr/bin/env -S python3 -B
"""Annotates 480 videos with cluster/ray_annotate.py on three Ray nodes, one of which is killed: `make test-cluster`."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from videos import PROGRAM, ROOT, Videos, Watch, outputs
from seen import Checks, until, work_folder

from ray.cluster_utils import Cluster

NODES = 3
OUT = "out/"


def processes(node):
    """A node's processes with all below them, by what /proc says of their parents."""
    children = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text()
        except OSError:
            continue
        children.setdefault(int(fields.rsplit(")", 1)[1].split()[1]), []).append(int(fields.split()[0]))
    found = [info.process.pid for infos in node.all_processes.values() for info in infos]
    for pid in found:
        found += children.get(pid, [])
    return found


def kill(cluster, node):
    """Ends a node and everything on it at once, as if its power had failed."""
    for pid in processes(node):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    cluster.remove_node(node, allow_graceful=False)


def work(checks, videos):
    store = {"object_store_memory": 100 << 20}
    # The first node holds the cluster together and runs the script; three others do the work.
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **store})
    try:
        nodes = [cluster.add_node(num_cpus=1, **store) for _ in range(NODES)]
        cluster.wait_for_nodes()
        environment = os.environ | {"RAY_ADDRESS": cluster.address, "FACEMARK": str(PROGRAM)}
        command = [sys.executable, ROOT / "cluster/ray_annotate.py", "list.txt", OUT, *outputs(OUT)]
        run = lambda: subprocess.Popen(command, cwd=videos.folder, env=environment)
        script = run()
        watch = Watch(videos, OUT, NODES)
        third = len(videos.names) // 3
        checks.that("a third is done", until(lambda: len(videos.complete(OUT)) > third, 900), len(videos.complete(OUT)))
        kill(cluster, nodes[1])
        checks.that("some are not done when the node is killed", len(videos.complete(OUT)) < len(videos.names))
        checks.equal("the script succeeds", script.wait(1200), 0)
        before = watch.end(checks)
        start = time.monotonic()
        checks.equal("the script succeeds again", run().wait(600), 0)
        seconds = time.monotonic() - start
        checks.that(f"it has nothing left to do, {seconds:.2f} s", seconds < 5)
        after = [video["attempts"] for video in videos.status(OUT)["videos"]]
        checks.equal("nothing was begun again", after, before)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    sys.exit(Checks().run([work], lambda _: Videos(work_folder("cluster-ray"))))
