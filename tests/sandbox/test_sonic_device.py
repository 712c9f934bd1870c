import asyncio

import pytest

from pytest_spiral.profiles.probe import probe
from spiral_sandbox.sonic.errors import StreamError
from spiral_sandbox.sonic.flaws import Flaw
from spiral_sandbox.sonic.service import NullDevice, SonicService


def rehearse(folder, device):
    service = SonicService(folder, Flaw(), NullDevice)
    return asyncio.run(service.handle("rehearse", {"seconds": 1.5, "name": "take", "device": device}))


def test_a_machine_without_a_sound_device_says_so(tmp_path):
    if probe("audio.playback").state == "present":
        pytest.skip("this machine has a sound device")
    with pytest.raises(StreamError, match=r"audio device|no sound device"):
        rehearse(tmp_path, "default")


def test_an_unknown_device_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match="'loud' is no device; there are null, jack, miniaudio, default"):
        rehearse(tmp_path, "loud")
