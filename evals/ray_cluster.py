"""A Ray cluster as a pool of devices: which there are, of which kind, and who holds one.

The driver hands devices out itself: it is the only one that asks this batch's nodes for anything. Ray
starts an actor on the node that was chosen, counts a CPU or a GPU for it, and says when it is gone.
Does not cover: what is said to an evaluator (`serving/`), nor whose unit it is (`ray_pool.py`).
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kernelwright.evals.ray_host import Host, look
from kernelwright.evals.record import Device, Machine
from kernelwright.evals.serving.describe import code
from kernelwright.evals.serving.messages import Lost, Reply, Request
from kernelwright.harness.errors import HarnessError
from kernelwright.tasks.errors import UsageError

PATIENCE_S = 60.0
"""How long a search waits for a node of its kind to come back when there is none left."""
_BESIDE = 2
"""Evaluators a CPU node has by default: one builds and checks while the other is timed."""
_POLL_S = 1.0
_LOOK_S = 300.0
"""The longest that a first look at a node may take: torch is loaded, peaks are measured."""
_CONNECT_S = 10.0
_NAMESPACE = "kernelwright"


@dataclass(frozen=True)
class Node:
    """A machine of the cluster with its device."""

    id: str
    address: str
    device: Device
    machine: Machine
    places: int
    """Evaluators that may be on it at once: one a GPU, one a CPU that Ray counts."""

    @property
    def usual(self) -> int:
        """How many it has by default."""
        return min(self.places, _BESIDE) if self.device.kind == "cpu" else self.places


@dataclass
class Cluster:
    """The nodes of one kind of device. Any thread may take a device and give it back."""

    ray: Any
    device: Device
    machine: Machine
    keeper: Callable[..., object]
    """What keeps an evaluator on a node: a class that Ray makes an actor of."""
    _known: dict[str, Node | None]
    """By id; None: a node that is of no use to this batch."""
    _held: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def usual(self) -> int:
        """Searches that the cluster has room for by default."""
        return max(1, sum(node.usual for node in self.nodes()))

    def nodes(self) -> list[Node]:
        """Those that are up; one that has joined is looked at first."""
        alive = _alive(self.ray)
        for record in alive:
            if record["NodeID"] not in self._known:
                self._known[record["NodeID"]] = self._fitting(record)
        known = (self._known[record["NodeID"]] for record in alive)
        return [node for node in known if node is not None]

    def take(self, given_up: Callable[[], bool] = lambda: False) -> Lease:
        """A device, the least busy one; waits until one is free.

        Raises HarnessError when no node of this kind has been up for a minute, or `given_up` says so.
        """
        since = time.monotonic()
        while not given_up():
            with self._lock:
                up = self.nodes()
                free = [node for node in up if self._held.get(node.id, 0) < node.places]
                if free:
                    node = min(free, key=lambda node: self._held.get(node.id, 0) / node.places)
                    self._held[node.id] = self._held.get(node.id, 0) + 1
                    return Lease(self, node)
            if up:
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE_S:
                raise HarnessError(f"no node with {self.device.name} is left in the cluster")
            time.sleep(_POLL_S)
        raise HarnessError("stopped while it waited for a device")

    def give_back(self, node: Node) -> None:
        """A lease is over."""
        with self._lock:
            self._held[node.id] -= 1

    def close(self) -> None:
        """Leave the cluster; one that was started for this batch ends."""
        self.ray.shutdown()

    def _fitting(self, record: Mapping[str, Any]) -> Node | None:
        """A node that has joined, where it is of this kind and can be looked at."""
        try:
            node = _node(self.ray, record)
        except UsageError:
            return None
        return node if node.device == self.device else None


class Lease:
    """A device of the cluster for one evaluator, until it is closed: a channel to it."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self.node = node
        self._cluster = cluster
        self._open = True
        self._closing = threading.Lock()
        gpus = 0 if node.device.kind == "cpu" else 1
        self._actor = (
            cluster.ray.remote(cluster.keeper)
            .options(
                num_cpus=1 - gpus,
                num_gpus=gpus,
                max_restarts=0,
                scheduling_strategy=_on(node.id),
            )
            .remote(node.device.kind)
        )

    def call(self, request: Request) -> Reply:
        """What the evaluator answers. Raises Lost when its process, its node or the cluster is gone."""
        try:
            reply: Reply = self._cluster.ray.get(self._actor.call.remote(request))
        except self._cluster.ray.exceptions.RayError as error:
            said = str(error).strip().splitlines()[0]
            raise Lost(f"node {self.node.address}: {said}") from error
        return reply

    def close(self) -> None:
        """End the evaluator and give the device back. Any thread may; a call under way is Lost."""
        with self._closing:
            if not self._open:
                return
            self._open = False
        self._cluster.ray.kill(self._actor)
        self._cluster.give_back(self.node)


def join(address: str, wanted: str | None = None, keeper: Callable[..., object] = Host) -> Cluster:
    """The devices of one kind in the cluster at `address`: `local`, `auto`, HOST:PORT or `ray://…`.

    `wanted` names the kind by a part of its name. Raises UsageError without Ray, without a cluster,
    and where nodes are of several kinds and none was named.
    """
    ray = _started(address)
    try:
        nodes = [_node(ray, record) for record in _alive(ray)]
        device = _chosen(nodes, wanted)
    except BaseException:
        ray.shutdown()
        raise
    known = {node.id: node if node.device == device else None for node in nodes}
    machine = next(node.machine for node in nodes if node.device == device)
    return Cluster(ray, device, machine, keeper, known)


def _started(address: str) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address.startswith("ray://") and _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray's client would not look for one
    try:
        ray = importlib.import_module("ray")
    except ImportError:
        raise UsageError('--ray needs the package Ray: pip install "kernelwright[ray]"') from None
    _reachable(address)
    own: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(
            address=address,
            namespace=_NAMESPACE,
            log_to_driver=False,
            logging_level="ERROR",
            configure_logging=False,
            **own,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError, OSError) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        said = " ".join(dict.fromkeys([*lines[:1], *lines[-1:]])) or type(error).__name__
        raise UsageError(
            f"--ray {address}: {said} (local starts a cluster here, auto finds the one that runs here, "
            "else give HOST:PORT, or ray://HOST:10001 from outside of it)"
        ) from error
    return ray


def _has_token() -> bool:
    """Whether this user has the token that clusters of recent versions of Ray ask for."""
    told = os.environ.keys() & {"RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}
    return bool(told) or Path("~/.ray/auth_token").expanduser().is_file()


def _reachable(address: str) -> None:
    """Whether anybody listens there: Ray itself would try for minutes. Raises UsageError."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdigit()):
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_S).close()
    except OSError as error:
        raise UsageError(
            f"--ray {address}: no cluster answers there ({error}): `ray start --head` starts one"
        ) from error


def _alive(ray: Any) -> list[Mapping[str, Any]]:
    """Nodes that are up and lend processors, in a stable order."""
    up = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("CPU", 0) >= 1]
    return sorted(up, key=lambda record: str(record["NodeID"]))


def _node(ray: Any, record: Mapping[str, Any]) -> Node:
    """Look at a node. Raises UsageError where it cannot be used."""
    where = record["NodeManagerAddress"]
    place = _on(record["NodeID"])
    task = ray.remote(look).options(num_cpus=0, max_retries=0, scheduling_strategy=place)
    try:
        found = ray.get(task.remote(), timeout=_LOOK_S)
    except ray.exceptions.RayError as error:
        lines = [line for line in str(error).strip().splitlines() if line.strip()]
        said = lines[-1].strip() if lines else type(error).__name__
        raise UsageError(f"node {where} cannot be used: {said}") from error
    if found["code"] != code():
        raise UsageError(
            f"node {where} has another harness ({found['environment']['kernelwright']}): "
            "install the same kernelwright on every node"
        )
    device = Device(**found["device"])
    resources = record["Resources"]
    places = int(resources["CPU"] if device.kind == "cpu" else resources.get("GPU", 0))
    machine = Machine(environment=found["environment"], isa=tuple(found["isa"]))
    return Node(record["NodeID"], where, device, machine, places)


def _chosen(nodes: Sequence[Node], wanted: str | None) -> Device:
    """The one kind of device that there is, or that was named. Raises UsageError."""
    counts: dict[Device, int] = {}
    for node in nodes:
        counts[node.device] = counts.get(node.device, 0) + 1
    kinds = [d for d in counts if wanted is None or wanted.lower() in _words(d).lower()]
    if len(kinds) == 1:
        return kinds[0]
    there = "; ".join(f"{_words(d)} ({n} nodes)" for d, n in counts.items()) or "none"
    if not kinds:
        raise UsageError(f"no node with the device {wanted or 'wanted'}: there is {there}")
    raise UsageError(
        f"the cluster has several kinds of device, which are never mixed in a batch: {there}: "
        "choose one with --device NAME"
    )


def _words(device: Device) -> str:
    return f"{device.name}, {device.threads} threads" if device.threads else device.name


def _on(node: str) -> Any:
    strategies = importlib.import_module("ray.util.scheduling_strategies")
    return strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)
