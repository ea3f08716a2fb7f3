"""A Slurm cluster on this machine: a controller and nodes of one processor each. Needs root, slurm-wlm and munge."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from videos import *  # also puts `seen` on the path
from seen import until

FIRST_PORT = 17100


def children(pid):
    """A process and all below it, the lowest last."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            found += children(int(child))
    return found


class Slurm:
    """Started on entry, and ended with all its jobs on exit."""

    def __init__(self, folder, nodes=3):
        self.folder = folder / "slurm"
        self.nodes = [f"n{i}" for i in range(nodes)]
        self.environment = os.environ | {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self.daemons = {}

    def configuration(self):
        here = socket.gethostname().split(".")[0]
        settings = {
            "ClusterName": "test",
            "SlurmctldHost": f"{here}(127.0.0.1)",
            "SlurmctldPort": FIRST_PORT,
            "SlurmUser": "root",
            "SlurmdUser": "root",
            "AuthType": "auth/munge",
            "CredType": "cred/munge",
            "StateSaveLocation": self.folder / "state",
            "SlurmdSpoolDir": self.folder / "spool-%n",
            "SlurmctldPidFile": self.folder / "controller.pid",
            "SlurmdPidFile": self.folder / "%n.pid",
            "SlurmctldLogFile": self.folder / "controller.log",
            "SlurmdLogFile": self.folder / "%n.log",
            # No control groups: they may not be ours to make.
            "ProctrackType": "proctrack/linuxproc",
            "TaskPlugin": "task/none",
            "JobAcctGatherType": "jobacct_gather/none",
            "SelectType": "select/cons_tres",
            "SelectTypeParameters": "CR_CPU",
            "MpiDefault": "none",
            # A dead node is noticed soon, and what ran on it begins again soon.
            "SlurmdTimeout": 10,
            "MinJobAge": 300,
            "ReturnToService": 2,
        }
        lines = [f"{name}={value}" for name, value in settings.items()]
        for i, node in enumerate(self.nodes):
            lines.append(f"NodeName={node} NodeHostname={here} NodeAddr=127.0.0.1 Port={FIRST_PORT + 1 + i} CPUs=1")
        return "\n".join([*lines, "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP", ""])

    def __enter__(self):
        (self.folder / "state").mkdir(parents=True)
        (self.folder / "slurm.conf").write_text(self.configuration())
        if subprocess.run(["pgrep", "-x", "munged"], stdout=subprocess.DEVNULL).returncode:
            Path("/run/munge").mkdir(exist_ok=True)
            shutil.chown("/run/munge", "munge")
            subprocess.run(["su", "munge", "-s", "/bin/sh", "-c", shutil.which("munged", path="/usr/sbin")], check=True)
        self.spawn("controller", "slurmctld", "-D")
        for node in self.nodes:
            self.spawn(node, "slurmd", "-D", "-N", node)
        if not until(lambda: self.ask("sinfo", "-h", "-t", "idle", "-o", "%D").strip() == str(len(self.nodes)), 60):
            self.__exit__()
            raise RuntimeError(f"the nodes do not get ready; see {self.folder}")
        return self

    def spawn(self, name, program, *arguments):
        path = shutil.which(program, path="/usr/sbin:/sbin:/usr/bin")
        with open(self.folder / f"{name}.out", "w") as out:
            self.daemons[name] = subprocess.Popen(
                [path, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )

    def ask(self, *command):
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout

    def submit(self, *arguments, cwd):
        done = subprocess.run(
            ["sbatch", "--parsable", *map(str, arguments)], env=self.environment, cwd=cwd, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def is_over(self, job):
        return not self.ask("squeue", "-h", "-j", job).strip()

    def job_processes(self, node):
        """The processes of a node's jobs, with those that watch over them."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                variables = (folder / "environ").read_bytes().split(b"\0")
                if f"SLURMD_NODENAME={node}".encode() in variables and f"SLURM_CONF={self.environment['SLURM_CONF']}".encode() in variables:
                    found.append(int(folder.name))
                    parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
                    if b"slurmstepd" in Path(f"/proc/{parent}/cmdline").read_bytes():
                        found.insert(0, int(parent))
            except OSError:
                continue
        return found

    def kill(self, node):
        """Ends a node and everything on it at once, as if its power had failed."""
        self.daemons[node].kill()
        self.daemons[node].wait()
        for pid in self.job_processes(node):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def __exit__(self, *_):
        self.ask("scancel", "--quiet", "--user=root")
        until(lambda: not self.ask("squeue", "-h").strip(), 10)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
        for daemon in self.daemons.values():
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
