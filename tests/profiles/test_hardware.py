import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe import LIMIT_S, detect, probe
from pytest_spiral.profiles.probe.nvidia import devices as nvidia_devices
from pytest_spiral.profiles.probe.nvidia import memory as nvidia_memory
from pytest_spiral.profiles.probe.sensors import temperature
from pytest_spiral.profiles.probe.usb import devices as usb_devices
from pytest_spiral.rules.requirements import evaluate, parse_requirement

MakeTree = Callable[..., Path]
FACTS = ("nvidia.devices", "nvidia.memory", "sensors.temperature", "usb.devices")
GIB = 1 << 30

pytestmark = pytest.mark.timeout(60)


def usb(name: str, kind: str, product: str = "", *, serial: str = "") -> dict[str, str]:
    """One device as sysfs shows it."""
    folder = f"sys/bus/usb/devices/{name}"
    files = {"idVendor": "0582\n", "idProduct": "012a\n", "bDeviceClass": f"{kind}\n", "product": f"{product}\n"}
    return {f"{folder}/{file}": text for file, text in {**files, "serial": serial}.items()}


ROOT_HUB = usb("usb1", "09", "xHCI Host Controller")
SOUND = usb("1-1", "00", "UM-ONE", serial="S3CRET-SERIAL")
INTERFACE = {"sys/bus/usb/devices/1-1:1.0/bInterfaceClass": "01\n"}


@pytest.mark.parametrize(
    ("entries", "state", "value"),
    [
        ({**ROOT_HUB, **SOUND, **INTERFACE}, "present", 1),
        ({**ROOT_HUB, **SOUND, **usb("1-2", "ef", "camera")}, "present", 2),
        ({**ROOT_HUB, **usb("1-3", "09", "a hub on the desk")}, "absent", None),
        ({"sys/bus/usb/devices/nothing": "", "sys/bus/pci/x": ""}, "absent", None),
        ({"sys/bus/pci/devices/x": ""}, "absent", None),
        ({}, "unknown", None),
    ],
)
def test_usb_devices_are_counted_without_hubs(
    tree: MakeTree, entries: dict[str, str | None], state: str, value: int | None
) -> None:
    fact = usb_devices(tree(entries))
    assert (fact.state, fact.value, fact.kind) == (state, value, "hardware")
    assert fact.evidence


def test_a_usb_device_is_named_and_its_serial_number_is_not(tree: MakeTree) -> None:
    told = usb_devices(tree({**ROOT_HUB, **SOUND})).evidence
    assert "1-1 0582:012a UM-ONE" in told
    assert "usb1 0582:012a xHCI Host Controller (hub)" in told
    assert "SERIAL" not in told


def hwmon(place: int, **files: str) -> dict[str, str]:
    return {f"sys/class/hwmon/hwmon0/temp{place}_{file}": text for file, text in files.items()}


ZONE = {"sys/class/thermal/thermal_zone0/type": "acpitz\n", "sys/class/thermal/thermal_zone0/temp": "27800\n"}


@pytest.mark.parametrize(
    ("entries", "state", "value"),
    [
        ({**hwmon(1, input="45000\n", label="Package id 0\n"), **hwmon(2, input="-3500\n")}, "present", 2),
        ({**hwmon(1, input="45000\n"), **hwmon(2, input="")}, "present", 1),
        ({**hwmon(1, input="45000\n"), **ZONE}, "present", 1),
        (ZONE, "present", 1),
        (hwmon(1, input="warm\n"), "unknown", None),
        ({"sys/class/hwmon/hwmon0/name": "fan"}, "absent", None),
        ({}, "unknown", None),
    ],
)
def test_temperature_sensors_are_those_that_give_a_reading(
    tree: MakeTree, entries: dict[str, str | None], state: str, value: int | None
) -> None:
    fact = temperature(tree(entries))
    assert (fact.state, fact.value, fact.kind) == (state, value, "hardware")


def test_each_reading_is_told_in_degrees(tree: MakeTree) -> None:
    entries = {"sys/class/hwmon/hwmon0/name": "coretemp\n", **hwmon(1, input="45500\n", label="Package id 0\n")}
    assert temperature(tree(entries)).evidence == "coretemp Package id 0: 45.5 degrees Celsius"


LIBRARY = """
from types import SimpleNamespace
class NVMLError(Exception): pass
class NVMLError_LibraryNotFound(NVMLError): pass
class NVMLError_Unknown(NVMLError): pass
def nvmlInit(): {init}
def nvmlSystemGetDriverVersion(): return "570.1"
def nvmlDeviceGetCount(): return {count}
def nvmlDeviceGetHandleByIndex(place): return place
def nvmlDeviceGetName(place): return "A 100"
def nvmlDeviceGetMemoryInfo(place): return SimpleNamespace(total=(place + 1) << 33)
"""


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a library of that name where this process and its children find it first."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)

    def make(init: str = "pass", count: int = 2) -> None:
        (tmp_path / "pynvml.py").write_text(textwrap.dedent(LIBRARY).format(init=init, count=count))

    return make


def test_what_nvml_lists_is_counted_and_its_largest_memory_told(library: Callable[..., None], tree: MakeTree) -> None:
    library()
    count, largest = nvidia_devices(tree()), nvidia_memory(tree())
    assert (count.state, count.value, count.unit) == ("present", 2, None)
    assert (largest.state, largest.value, largest.unit) == ("present", 16 * GIB, "B")
    assert "driver 570.1" in count.evidence
    assert "processor 1 A 100" in count.evidence


DRIVER = {"proc/driver/nvidia/version": "NVRM version"}
NOT_FOUND = "raise NVMLError_LibraryNotFound('no library')"


@pytest.mark.parametrize(
    ("init", "count", "entries", "state", "told"),
    [
        (NOT_FOUND, 0, {}, "absent", "NVMLError_LibraryNotFound"),
        (NOT_FOUND, 0, DRIVER, "unknown", "the kernel has NVIDIA's driver"),
        ("raise NVMLError_Unknown('odd')", 0, {}, "unknown", "NVMLError_Unknown"),
        ("pass", 0, {}, "absent", "NVML lists no processor"),
        ("raise RuntimeError('broken')", 1, {}, "unknown", "broken"),
        ("__import__('os').abort()", 1, {}, "unknown", "signal 6"),
        ("__import__('threading').Event().wait(20)", 1, {}, "unknown", "no answer within"),
    ],
)
def test_what_nvml_refuses_is_absent_only_where_the_kernel_agrees(
    library: Callable[..., None], tree: MakeTree, init: str, count: int, entries: dict[str, str], state: str, told: str
) -> None:
    library(init, count)
    fact = nvidia_devices(tree(entries))
    assert fact.state == state
    assert told in fact.evidence


@pytest.mark.parametrize(
    ("entries", "state"), [({}, "absent"), (DRIVER, "unknown"), ({"dev/nvidia0": None}, "unknown")]
)
def test_without_the_library_the_kernel_is_asked(
    monkeypatch: pytest.MonkeyPatch, tree: MakeTree, entries: dict[str, str | None], state: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    fact = nvidia_memory(tree(entries))
    assert fact.state == state
    assert "nvidia-ml-py" in fact.evidence


def test_this_machine_answers_each_of_them_with_evidence() -> None:
    profile = detect(FACTS)
    assert [fact.name for fact in profile.facts] == sorted(FACTS)
    assert all(fact.evidence and fact.command and fact.kind == "hardware" for fact in profile.facts)
    assert not any(f"no answer within {LIMIT_S}" in fact.evidence for fact in profile.facts)


def test_they_stand_in_requirements(tree: MakeTree) -> None:
    facts = {"usb.devices": usb_devices(tree({**ROOT_HUB, **SOUND})), "nvidia.memory": probe("nvidia.memory")}
    assert evaluate(parse_requirement("usb.devices >= 1"), facts).met
    assert not evaluate(parse_requirement("usb.devices >= 2"), facts).met
    assert evaluate(parse_requirement("usb.devices or nvidia.memory >= 24 GiB"), facts).met
