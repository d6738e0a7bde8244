"""A batch on a local cluster of two nodes, one of which is killed amid the work: nothing is lost.

The cluster, the leases, the pool, its units and the record are real; verdicts are made up.
"""

from __future__ import annotations

import functools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray", reason='needs the extra: pip install "kernelwright[ray]"')

import ray
import served_fakes
from ray.cluster_utils import Cluster as LocalCluster
from served_fakes import CANDIDATE, SOURCE, SlowHost

from kernelwright.evals import ray_cluster
from kernelwright.evals import record as records
from kernelwright.evals.batch import Batch
from kernelwright.evals.judge import verdict_in
from kernelwright.evals.pool import Ended, Unit
from kernelwright.evals.ray_cluster import Cluster, join
from kernelwright.evals.ray_pool import RayPool
from kernelwright.evals.record import BatchRecord, Device, Machine, Suite, TaskResult
from kernelwright.tasks.errors import UsageError

CPU = Device(kind="cpu", name="Some Processor", threads=2)
NAMES = tuple(f"own/t{i}" for i in range(4))
KERNELS = 4

pytestmark = pytest.mark.slow


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalCluster]:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("DIARY", str(tmp_path / "diary"))  # nodes hand it on to their actors
    ray.cloudpickle.register_pickle_by_value(served_fakes)
    cluster = LocalCluster(
        initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False}
    )
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def looked_at(device: Device) -> dict[str, Any]:
    """What a node says of itself."""
    return {
        "device": device.model_dump(),
        "isa": [],
        "environment": {"kernelwright": "1"},
        "code": ray_cluster.code(),
    }


def test_a_node_is_killed_and_nothing_is_lost(
    two_nodes: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = tmp_path / "diary"
    found = looked_at(CPU)
    monkeypatch.setattr(ray_cluster, "look", lambda: found)
    cluster = join(two_nodes.address, keeper=SlowHost)
    assert cluster.device == CPU and cluster.usual == 2 and len(cluster.nodes()) == 2
    folder = tmp_path / "batch"
    batch = _batch(folder, cluster, tmp_path)
    worker = threading.Thread(target=batch.run, args=(2,))
    worker.start()
    doomed = two_nodes.list_all_nodes()[1]
    _until(lambda: _diary(diary)[doomed.node_id] >= 2)
    two_nodes.remove_node(doomed, allow_graceful=False)
    worker.join(240)
    assert not worker.is_alive()
    record = records.read(folder)
    assert record.finished is not None
    assert {r.task: r.state for r in record.results} == dict.fromkeys(NAMES, "done")
    assert all(r.samples is not None and r.samples.correct == KERNELS for r in record.results)
    where = _diary(diary)
    assert len(where) == 2 and where[doomed.node_id] < KERNELS * len(NAMES)


def test_devices_of_several_kinds_are_never_mixed() -> None:
    other = CPU.model_copy(update={"name": "Another Processor"})
    machine = Machine()
    nodes = [
        ray_cluster.Node(str(i), "host", device, machine, 1)
        for i, device in enumerate([CPU, CPU, other])
    ]
    with pytest.raises(UsageError, match=r"several kinds.*Some Processor.*2 nodes.*--device"):
        ray_cluster._chosen(nodes, None)
    assert ray_cluster._chosen(nodes, "another") == other
    with pytest.raises(UsageError, match="no node with the device H200"):
        ray_cluster._chosen(nodes, "H200")


def test_no_cluster_is_one_line() -> None:
    with pytest.raises(UsageError, match=r"--ray 127\.0\.0\.1:1: ") as error:
        join("127.0.0.1:1")
    assert "\n" not in str(error.value)


def _batch(folder: Path, cluster: Cluster, tmp_path: Path) -> Batch:
    for name in NAMES:
        (tmp_path / f"{name[4:]}.py").write_text(SOURCE)
    kernels = []
    for number in range(KERNELS):
        kernels.append(tmp_path / f"kernel{number}.py")
        kernels[-1].write_text(f"{CANDIDATE.source}# {number}\n")
    record = BatchRecord(
        id="batch",
        command=("kernelwright", "bench", "own"),
        started="2026-01-01T00:00:00+00:00",
        suite=Suite(name="own", version="1"),
        models=("kernels:x",),
        devices=(CPU,),
        tasks=NAMES,
    )

    def unit(task: str) -> Unit:
        words = [str(tmp_path / f"{task[4:]}.py"), str(tmp_path / "verdicts" / task)]
        words += map(str, kernels)
        return Unit(task, tuple(words), tmp_path / f"{task[4:]}.log", "kernelwright.evals.judge")

    def result(task: str, ended: Ended) -> TaskResult:
        from kernelwright.evals.judge import candidate_in

        assert ended.status == 0, ended.last_words
        out = tmp_path / "verdicts" / task
        verdicts = [verdict_in(out, candidate_in(file)) for file in kernels]
        right = sum(v is not None and v.accepted for v in verdicts)
        samples = records.Samples(n=len(verdicts), correct=right)
        return TaskResult(task=task, device=CPU, state="done", reason="judged", samples=samples)

    runner = functools.partial(RayPool, cluster)
    return Batch(folder, record, unit, result, _Silent(), runner=runner)


class _Silent:
    def told(self, task: str, said: Mapping[str, Any]) -> None:
        """Nothing."""

    def done(self, result: TaskResult, record: BatchRecord) -> None:
        """Nothing."""


def _diary(path: Path) -> Counter[str]:
    """Evaluations begun, by node."""
    return Counter(path.read_text().split() if path.is_file() else [])


def _until(so: Any, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.1)
