import json
import os
import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe import machine

MakeProgram = Callable[..., Path]
MakeTree = Callable[..., Path]

CPUINFO = "".join(
    f"processor\t: {number}\nmodel name\t: Ryzen 7\nphysical id\t: 0\ncore id\t\t: {number // 2}\n\n"
    for number in range(8)
)
MEMINFO = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    600 kB\n"

pytestmark = pytest.mark.timeout(60)


def lscpu(program: MakeProgram, rows: list[tuple[object, object, object]]) -> None:
    cpus = [{"cpu": n, "core": core, "socket": socket, "online": on} for n, (core, socket, on) in enumerate(rows)]
    program("lscpu", f"echo '{json.dumps({'cpus': cpus})}'")


@pytest.mark.parametrize(
    ("rows", "cores", "threads"),
    [
        ([(0, 0, True), (0, 0, True), (1, 0, True), (1, 0, True)], 2, 4),
        ([(0, 0, True), (0, 1, True)], 2, 2),
        ([("0", "0", "yes"), ("0", "0", "yes"), ("-", "-", "no")], 1, 2),
        ([(0, 0, True), (1, 0, False)], 1, 1),
    ],
)
def test_cores_are_counted_by_their_place_and_only_where_online(
    program: MakeProgram, tree: MakeTree, rows: list[tuple[object, object, object]], cores: int, threads: int
) -> None:
    lscpu(program, rows)
    assert machine.cores(tree()).value == cores
    assert machine.threads(tree()).value == threads


def test_a_processor_without_a_place_leaves_the_cores_unknown(program: MakeProgram, tree: MakeTree) -> None:
    lscpu(program, [(0, 0, True), (None, None, True)])
    assert machine.cores(tree()).state == "unknown"
    assert machine.threads(tree()).value == 2


@pytest.mark.parametrize("body", ["exit 1", "kill -TERM $$"])
def test_without_lscpu_the_kernels_list_is_read(program: MakeProgram, tree: MakeTree, body: str) -> None:
    program("lscpu", body)
    root = tree({"proc/cpuinfo": CPUINFO})
    assert (machine.cores(root).value, machine.threads(root).value) == (4, 8)
    assert machine.model(root).value == "Ryzen 7"


def test_without_both_the_processor_is_unknown(program: MakeProgram, tree: MakeTree) -> None:
    program("other", "exit 0")
    for fact in (machine.cores(tree()), machine.threads(tree()), machine.model(tree())):
        assert fact.state == "unknown"
        assert "lscpu is not on PATH" in fact.evidence


def test_the_model_is_found_where_newer_versions_nest_it(program: MakeProgram, tree: MakeTree) -> None:
    inner = {"field": "Vendor ID:", "data": "ARM", "children": [{"field": "Model name:", "data": "Neoverse-N1"}]}
    program("lscpu", f"echo '{json.dumps({'lscpu': [{'field': 'Architecture:', 'data': 'aarch64'}, inner]})}'")
    assert machine.model(tree()).value == "Neoverse-N1"


def test_a_model_that_is_a_dash_is_no_model(program: MakeProgram, tree: MakeTree) -> None:
    program("lscpu", f"echo '{json.dumps({'lscpu': [{'field': 'Model name:', 'data': '-'}]})}'")
    assert machine.model(tree()).state == "unknown"


V2 = {"proc/self/cgroup": "0::/a/b\n"}
V1 = {"proc/self/cgroup": "4:memory:/a/b\n3:cpuset:/\n1:cpu,cpuacct:/a\n"}


@pytest.mark.parametrize(
    ("entries", "total", "available", "kind"),
    [
        ({}, 1000, 600, "hardware"),
        (V2, 1000, 600, "hardware"),
        (
            {**V2, "sys/fs/cgroup/a/b/memory.max": "max\n", "sys/fs/cgroup/a/b/memory.current": "1\n"},
            1000,
            600,
            "hardware",
        ),
        (
            {
                **V2,
                "sys/fs/cgroup/a/memory.max": f"{500 * 1024}\n",
                "sys/fs/cgroup/a/memory.current": f"{100 * 1024}\n",
            },
            500,
            400,
            "environment",
        ),
        (
            {
                **V1,
                "sys/fs/cgroup/memory/a/b/memory.limit_in_bytes": f"{2**63 - 4096}\n",
                "sys/fs/cgroup/memory/a/b/memory.usage_in_bytes": "5\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{200 * 1024}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{300 * 1024}\n",
            },
            200,
            0,
            "environment",
        ),
    ],
)
def test_memory_is_what_the_machine_has_or_less_where_a_group_allows_less(
    tree: MakeTree, entries: dict[str, str | None], total: int, available: int, kind: str
) -> None:
    root = tree({"proc/meminfo": MEMINFO, **entries})
    memory, room = machine.memory(root), machine.memory_available(root)
    assert (memory.value, memory.unit, memory.kind) == (total * 1024, "B", kind)
    assert (room.value, room.unit) == (available * 1024, "B")
    assert memory.evidence.startswith("MemTotal:       1000 kB")


@pytest.mark.parametrize(
    ("entries", "state", "value"),
    [
        ({}, "unknown", None),
        ({**V2, "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, "absent", None),
        (
            {**V2, "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n", "sys/fs/cgroup/a/cpu.max": "max 100000"},
            "present",
            1.5,
        ),
        (
            {**V2, "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n", "sys/fs/cgroup/a/cpu.max": "200000 100000"},
            "present",
            2,
        ),
        (
            {**V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000"},
            "absent",
            None,
        ),
        (
            {**V1, "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000"},
            "present",
            0.5,
        ),
    ],
)
def test_the_quota_is_the_tightest_on_the_way_up(
    tree: MakeTree, entries: dict[str, str | None], state: str, value: float | None
) -> None:
    fact = machine.quota(tree(entries))
    assert (fact.state, fact.value) == (state, value)


def test_a_group_path_that_climbs_out_is_not_followed(tree: MakeTree) -> None:
    root = tree({"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/x/cpu.max": "100000 100000"})
    assert machine.quota(root).value == 1


def test_without_the_kernels_list_memory_is_asked_elsewhere(tree: MakeTree) -> None:
    fact = machine.memory(tree())
    assert (fact.state, fact.unit, fact.command) == ("present", "B", "psutil.virtual_memory()")


def test_what_a_system_does_not_tell_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(platform, "release", lambda: "")
    assert machine.affinity().state == "unknown"
    assert machine.os_kernel().state == "unknown"
