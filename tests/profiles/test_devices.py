import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_spiral.profiles.probe.accelerator import accelerator
from pytest_spiral.profiles.probe.audio import capture, playback

MakeTree = Callable[..., Path]

CARD = "00-00: ALC269VC Analog : ALC269VC Analog : playback 1 : capture 1\n"
HDMI = "00-03: HDMI 0 : HDMI 0 : playback 1\n"
NODES = {"dev/snd/pcmC0D0p": None, "dev/snd/pcmC0D0c": None}


@pytest.mark.parametrize(
    ("entries", "played", "recorded"),
    [
        ({"proc/asound/pcm": CARD, **NODES}, 1, 1),
        ({"proc/asound/pcm": CARD + HDMI, **NODES, "dev/snd/pcmC0D3p": None}, 2, 1),
        ({"proc/asound/pcm": HDMI, "dev/snd/pcmC0D3p": None}, 1, None),
        ({"proc/asound/pcm": CARD + HDMI, **NODES}, 1, 1),
        ({"sys/class/sound/pcmC0D0p/pcm_class": "generic", "dev/snd/pcmC0D0p": None}, 1, None),
        ({}, None, None),
        ({"proc/asound/pcm": ""}, None, None),
        ({"proc/asound/pcm": CARD}, None, None),
        ({"proc/asound/pcm": CARD, "dev/snd/pcmC0D0p": "a plain file", "dev/snd/pcmC0D0c": "too"}, None, None),
        ({"proc/asound/pcm": CARD, "proc/asound/modules": " 0 snd_hda_intel\n", **NODES}, 1, 1),
        ({"proc/asound/pcm": CARD, "proc/asound/modules": " 0 snd_dummy\n", **NODES}, None, None),
        ({"proc/asound/pcm": CARD, "proc/asound/modules": " 0 snd_aloop\n", **NODES}, None, None),
        ({"proc/asound/pcm": CARD, "sys/class/sound/card0/device": "->/x/snd_aloop.0", **NODES}, None, None),
        ({"proc/asound/timers": "G0: system timer", "sys/class/sound/timer/dev": "116:33"}, None, None),
    ],
)
def test_sound_is_present_only_where_a_real_stream_can_be_opened(
    tree: MakeTree, entries: dict[str, str | None], played: int | None, recorded: int | None
) -> None:
    root = tree(entries)
    for fact, count in ((playback(root), played), (capture(root), recorded)):
        assert (fact.state, fact.value) == ("absent" if count is None else "present", count)
        assert fact.kind == "hardware"


def test_what_stands_in_the_way_of_each_stream_is_told(tree: MakeTree) -> None:
    root = tree({"proc/asound/pcm": CARD + HDMI, "proc/asound/modules": " 0 snd_hda_intel\n", "dev/snd/pcmC0D0p": ""})
    lines = playback(root).evidence.splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("pcmC0D0p: not a device")
    assert lines[1].endswith("pcmC0D3p: No such file or directory")


def test_a_device_that_this_user_may_not_open_is_absent(tree: MakeTree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree({"proc/asound/pcm": CARD, **NODES})
    monkeypatch.setattr(os, "access", lambda _, mode: mode == os.R_OK)
    assert playback(root).state == "absent"
    assert "may not open it" in playback(root).evidence
    assert capture(root).state == "present"


def test_where_there_is_no_proc_nothing_is_known(tmp_path: Path) -> None:
    assert {fact(tmp_path).state for fact in (playback, capture, accelerator)} == {"unknown"}


def drm(node: str, driver: str) -> dict[str, str | None]:
    """A render node with its driver, as sysfs links it; the driver's folder is made so that the link holds."""
    return {
        f"dev/dri/{node}": None,
        f"sys/drivers/{driver}/bind": "",
        f"sys/class/drm/{node}/device/driver": f"->../../../../drivers/{driver}",
    }


@pytest.mark.parametrize(
    ("entries", "count"),
    [
        ({"dev/nvidia0": None, "dev/nvidia1": None, "dev/nvidiactl": None, "dev/nvidia-uvm": None}, 2),
        (drm("renderD128", "amdgpu"), 1),
        ({**drm("renderD128", "i915"), "dev/dri/card0": None}, 1),
        ({"dev/nvidia0": None, **drm("renderD128", "nvidia")}, 1),
        ({"dev/nvidia0": None, **drm("renderD128", "nvidia"), **drm("renderD129", "amdgpu")}, 2),
        ({"dev/accel/accel0": None}, 1),
        ({}, None),
        ({"dev/nvidia0": "touched, not made by a driver"}, None),
        ({"dev/nvidia0": "->/nowhere/at/all"}, None),
        ({"dev/nvidiactl": None}, None),
        ({"dev/dri/card0": None}, None),
        (drm("renderD128", "virtio_gpu"), None),
        (drm("renderD128", "vgem"), None),
    ],
)
def test_accelerators_are_counted_by_device_files_with_a_processor_behind_them(
    tree: MakeTree, entries: dict[str, str | None], count: int | None
) -> None:
    fact = accelerator(tree(entries))
    assert (fact.state, fact.value) == ("absent" if count is None else "present", count)
