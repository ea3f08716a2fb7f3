#!/usr/bin/env python3
"""Annotates the videos of a list with Ray: one task per video, or per range of one with --split.

    python cluster/ray_annotate.py videos.txt annotated/ [--split 10m] [--model large ...]

Everything after the folder goes to `facemark annotate`; without -o, --jsonl or --csv it writes JSON lines. Run it again
as often as you like: what is complete is skipped. `facemark status annotated/` says how far it has come, and after
--split `facemark merge annotated/` joins the ranges. Needs Ray 2 and facemark on all nodes, and a file system that they
share. RAY_ADDRESS names the cluster; without it Ray starts one on this machine.
"""
import json
import os
import subprocess
import sys

FACEMARK = os.environ.get("FACEMARK", "facemark")
# So many tasks wait for each processor; more would only fill Ray's memory.
IN_FLIGHT = 2


def annotate(unit, arguments, folder):
    """Annotates one video or range; returns facemark's exit code and messages."""
    command = [FACEMARK, "annotate", "--list", "-", "--shard", f"{unit['part'] - 1}/{unit['parts']}"]
    command += ["--jobs", "1", "--quiet", *arguments]
    # A null byte after the name allows line feeds in it.
    name = os.fsencode(unit["video"]) + b"\0"
    done = subprocess.run(command, input=name, cwd=folder, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode(errors="replace")


def plan(videos, arguments):
    """The videos or ranges to do, largest first. The list is noted in the folder for `facemark status`."""
    command = [FACEMARK, "annotate", "--list", videos, "--plan", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if done.returncode:
        # facemark has said why.
        sys.exit(done.returncode)
    units = [unit for unit in map(json.loads, done.stdout.splitlines()) if not unit["done"]]
    return sorted(units, key=lambda unit: -unit["bytes"])


def main():
    videos, out, *arguments = sys.argv[1:]
    if not {"-o", "--jsonl", "--csv"} & set(arguments):
        arguments = ["--jsonl", out, *arguments]
    units = plan(videos, arguments)
    if not units:
        return 0
    # Not before, since it takes seconds.
    import ray

    # A task whose node dies runs again elsewhere. What facemark itself reports, such as a broken video, is an answer.
    task = ray.remote(num_cpus=1, max_retries=-1)(annotate)
    # Workers run elsewhere, but names in the list may be relative.
    folder = os.getcwd()
    ray.init(address=os.environ.get("RAY_ADDRESS"), log_to_driver=False)
    room = max(1, int(ray.cluster_resources().get("CPU", 1))) * IN_FLIGHT
    running, worst = {}, 0
    while units or running:
        while units and len(running) < room:
            unit = units.pop(0)
            running[task.remote(unit, arguments, folder)] = unit
        (ended,), _ = ray.wait(list(running))
        unit = running.pop(ended)
        code, messages = ray.get(ended)
        if code:
            worst = worst or code
            print(f"{unit['video']!r}: exit code {code}\n{messages}", end="", file=sys.stderr)
    return worst


if __name__ == "__main__":
    sys.exit(main())
