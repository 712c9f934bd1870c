from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe import probe
from pytest_spiral.profiles.probe.virtual import container, machine

MakeProgram = Callable[..., Path]
MakeTree = Callable[..., Path]

APART = 'case "$1" in --container) {container};; --vm) {vm};; *) echo docker;; esac'
NONE = "echo none; exit 1"

pytestmark = pytest.mark.timeout(60)


def test_containers_and_virtual_machines_are_asked_about_apart(program: MakeProgram) -> None:
    program("systemd-detect-virt", APART.format(container="echo docker", vm="echo kvm"))
    assert probe("virtual.container").value == "docker"
    assert probe("virtual.vm").value == "kvm"


@pytest.mark.parametrize(
    ("container_says", "vm_says", "states"),
    [
        (NONE, "echo kvm", ("absent", "present")),
        ("echo podman", NONE, ("present", "absent")),
        (NONE, NONE, ("absent", "absent")),
    ],
)
def test_each_answer_stands_for_its_own_fact(
    program: MakeProgram, container_says: str, vm_says: str, states: tuple[str, str]
) -> None:
    program("systemd-detect-virt", APART.format(container=container_says, vm=vm_says))
    assert (probe("virtual.container").state, probe("virtual.vm").state) == states


@pytest.mark.parametrize("body", ["exit 1", "echo none", "echo docker; exit 1", "echo 'no idea what'", "exit 0"])
def test_an_answer_that_contradicts_itself_is_not_taken(program: MakeProgram, tree: MakeTree, body: str) -> None:
    program("systemd-detect-virt", body)
    assert container(tree()).state == "unknown"
    assert machine(tree()).state == "unknown"


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        ({".dockerenv": ""}, "docker"),
        ({"run/.containerenv": ""}, "podman"),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1\n"}, "kubernetes"),
        ({"proc/self/cgroup": "4:memory:/docker/" + "0f" * 32 + "\n"}, "docker"),
        ({"proc/self/cgroup": "0::/lxc.payload.web\n"}, "lxc"),
    ],
)
def test_without_the_tool_the_marks_of_a_container_prove_it(
    program: MakeProgram, tree: MakeTree, entries: dict[str, str], value: str
) -> None:
    program("other", "exit 0")
    fact = container(tree(entries))
    assert (fact.state, fact.value) == ("present", value)
    assert "systemd-detect-virt is not on PATH" in fact.evidence


def test_a_containers_id_stays_out_of_the_evidence(program: MakeProgram, tree: MakeTree) -> None:
    program("other", "exit 0")
    fact = container(tree({"proc/self/cgroup": "0::/docker/" + "0f" * 32 + "\n"}))
    assert "/docker/<id>" in fact.evidence
    assert "0f0f" not in fact.evidence


@pytest.mark.parametrize(
    ("entries", "value"),
    [
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "qemu"),
        ({"sys/class/dmi/id/product_name": "VMware Virtual Platform\n"}, "vmware"),
        ({"sys/hypervisor/type": "xen\n"}, "xen"),
        ({"proc/cpuinfo": "processor : 0\nflags\t\t: fpu sse hypervisor lm\n"}, "vm-other"),
    ],
)
def test_without_the_tool_the_marks_of_a_virtual_machine_prove_it(
    program: MakeProgram, tree: MakeTree, entries: dict[str, str], value: str
) -> None:
    program("other", "exit 0")
    fact = machine(tree(entries))
    assert (fact.state, fact.value, fact.kind) == ("present", value, "hardware")


def test_without_tool_and_marks_nothing_is_known(program: MakeProgram, tree: MakeTree) -> None:
    program("other", "exit 0")
    bare = tree({"proc/cpuinfo": "flags : fpu sse\n", "proc/self/cgroup": "0::/user.slice\n"})
    for fact in (container(bare), machine(bare)):
        assert fact.state == "unknown"
        assert "which proves nothing" in fact.evidence
