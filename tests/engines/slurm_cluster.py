"""A Slurm of two nodes on this machine, for as long as a test session: munge, the controller, and two slurmds.

    with slurm() as cluster:
        cluster.call("srun", "-N", "2", "-n", "2", "hostname")

Each slurmd has a host name and an /etc/hosts of its own (namespaces, which root may make), since Debian's slurmd takes no two
nodes with one host name. The daemons are children of this process, and end with it, however it ends. As a script, it runs one
command: `python tests/engines/slurm_cluster.py srun -N 2 -n 2 hostname`.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

NODES = ("node1", "node2")
_CPUS = 4  # a node; simulated, so that two tasks of a test have place on one


@dataclass(frozen=True)
class Cluster:
    """The commands of Slurm's that speak to this controller: `environment` has SLURM_CONF."""

    folder: Path
    environment: dict[str, str]

    def call(self, *command: str, timeout: float = 120, **options) -> subprocess.CompletedProcess:
        """Runs a command of Slurm's, and returns its exit code and what it printed."""
        environment = self.environment | options.pop("env", {})
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", timeout=timeout, **options
        )

    def state(self, job: str) -> dict[str, str]:
        """The fields of a job, such as JobState, ExitCode and Restarts."""
        shown = self.call("scontrol", "show", "job", job).stdout
        return dict(word.split("=", 1) for word in shown.split() if "=" in word)

    def wait(self, job: str, *states: str, timeout: float = 120) -> dict[str, str]:
        """Waits until a job is in one of the states, else fails."""
        end = time.monotonic() + timeout
        while (found := self.state(job)).get("JobState") not in states:
            assert time.monotonic() < end, f"job {job} is {found.get('JobState')} ({found.get('Reason')}), not {states}"
            time.sleep(0.2)
        return found


@contextmanager
def slurm() -> Iterator[Cluster]:
    """Starts the daemons, and stops them and whatever they run."""
    with ExitStack() as stack:
        # pytest's folders are closed to the user that munged runs as.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)
        stack.enter_context(_daemon(folder, "munged", _munged(folder)))
        _until((folder / "munge" / "socket").exists, "munged's socket", folder)
        (folder / "slurm.conf").write_text(_settings(folder))
        (folder / "hosts").write_text(f"127.0.0.1 localhost {socket.gethostname()} {' '.join(NODES)}\n")
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SLURM", "XLA", "JAX", "NNJAX"))}
        cluster = Cluster(folder, environment | {"SLURM_CONF": str(folder / "slurm.conf")})
        stack.enter_context(_daemon(folder, "slurmctld", ["slurmctld", "-D", "-c"], cluster.environment))
        for node in NODES:
            start = f"hostname {node} && mount --bind {folder}/hosts /etc/hosts && exec slurmd -D -N {node}"
            command = ["unshare", "--uts", "--mount", "sh", "-c", start]
            stack.enter_context(_daemon(folder, node, command, cluster.environment))
        stack.callback(_cancel_all, cluster)
        idle = lambda: cluster.call("sinfo", "-h", "-o", "%T %D").stdout.split() == ["idle", str(len(NODES))]  # noqa: E731
        _until(idle, "both nodes", folder)
        yield cluster


def _munged(folder: Path) -> list[str]:
    home = folder / "munge"
    home.mkdir()
    (home / "key").write_bytes(os.urandom(128))
    (home / "key").chmod(0o600)
    for path in (home, home / "key"):
        shutil.chown(path, "munge", "munge")
    files = [
        f"--{name}={home / name.removesuffix('-file')}" for name in ("key-file", "socket", "pid-file", "log-file", "seed-file")
    ]
    # A change of the user takes the signal for the parent's death away, so it is set once more.
    return ["setpriv", "--pdeathsig=TERM", "--reuid=munge", "--regid=munge", "--clear-groups", "munged", "--foreground", *files]


def _settings(folder: Path) -> str:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    ports = _free_ports(1 + len(NODES))
    nodes = [
        f"NodeName={node} NodeHostname={node} NodeAddr=127.0.0.1 Port={port} CPUs={_CPUS} State=UNKNOWN"
        for node, port in zip(NODES, ports[1:], strict=True)
    ]
    return "\n".join(
        [
            "ClusterName=tests",
            f"SlurmctldHost={socket.gethostname()}(127.0.0.1)",
            f"SlurmctldPort={ports[0]}",
            f"AuthInfo=socket={folder}/munge/socket",
            "SlurmUser=root",
            "SlurmdUser=root",
            f"StateSaveLocation={folder}/state",
            f"SlurmdSpoolDir={folder}/spool/%n",
            f"SlurmctldPidFile={folder}/slurmctld.pid",
            f"SlurmdPidFile={folder}/%n.pid",
            "ProctrackType=proctrack/linuxproc",  # control groups are not there in every container
            "TaskPlugin=task/none",
            "SelectType=select/cons_tres",
            "SelectTypeParameters=CR_Core",
            "SlurmdParameters=config_overrides",  # more CPUs than there are
            "MpiDefault=none",
            "ReturnToService=2",
            "KillWait=20",
            "JobRequeue=1",
            "SchedulerParameters=batch_sched_delay=0,sched_interval=1",
            "PreemptType=preempt/partition_prio",
            "PreemptMode=REQUEUE",
            *nodes,
            "PartitionName=all Nodes=ALL Default=YES PriorityTier=1 GraceTime=20 State=UP",
            "PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=off State=UP",
            "",
        ]
    )


@contextmanager
def _daemon(folder: Path, name: str, command: list[str], environment: dict[str, str] | None = None) -> Iterator[None]:
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig=TERM", *command], env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _cancel_all(cluster: Cluster) -> None:
    cluster.call("scancel", "--signal=KILL", "--full", "--user=root")
    cluster.call("scancel", "--user=root")
    end = time.monotonic() + 30
    while cluster.call("squeue", "-h").stdout.strip() and time.monotonic() < end:
        time.sleep(0.2)


def _until(condition, what: str, folder: Path) -> None:
    end = time.monotonic() + 30
    while not condition():
        logs = "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in folder.glob("*.log"))
        assert time.monotonic() < end, f"{what} did not come\n{logs}"
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


if __name__ == "__main__":
    with slurm() as started:
        sys.exit(subprocess.run(sys.argv[1:], env=started.environment).returncode)
