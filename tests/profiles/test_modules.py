import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from pytest_spiral.profiles.probe import probe

BOMB = "raise RuntimeError('a probe must not import')\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules that is searched first; a module that stays loaded after the test was imported."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)
    yield tmp_path
    assert not [name for name in set(sys.modules) - before if name.startswith("spiral_probe_")]


def installed(folder: Path, name: str, version: str, record: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="utf-8")
    (info / "RECORD").write_text(record, encoding="utf-8")


def test_a_module_is_found_without_being_imported(site: Path) -> None:
    (site / "spiral_probe_mod.py").write_text(BOMB)
    fact = probe("module.spiral_probe_mod")
    assert (fact.state, fact.value) == ("present", True)
    assert "no distribution beside it" in fact.evidence
    assert fact.command == "find_spec('spiral_probe_mod')"


def test_a_module_that_is_not_there_is_absent() -> None:
    fact = probe("module.neoabzu_memory")
    assert fact.state == "absent"
    assert fact.evidence == "find_spec found no module neoabzu_memory"


def test_a_distribution_gives_the_version_of_a_module_with_another_name(site: Path) -> None:
    (site / "spiral_probe_pkg").mkdir()
    (site / "spiral_probe_pkg/__init__.py").write_text(BOMB)
    (site / "spiral_probe_pkg/inner.py").write_text(BOMB)
    installed(site, "another_name", "4.5.6", "spiral_probe_pkg/__init__.py,,\nspiral_probe_pkg/inner.py,,\n")
    for name in ("spiral_probe_pkg", "spiral_probe_pkg.inner"):
        fact = probe(f"module.{name}")
        assert (fact.state, fact.value) == ("present", "4.5.6")
        assert "distribution another_name 4.5.6" in fact.evidence


def test_a_file_that_shadows_an_installed_module_does_not_get_its_version(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (site / "spiral_probe_mod.py").write_text(BOMB)
    installed(site, "genuine", "7.0", "spiral_probe_mod.py,,\n")
    assert probe("module.spiral_probe_mod").value == "7.0"
    (site / "front").mkdir()
    (site / "front/spiral_probe_mod.py").write_text(BOMB)
    monkeypatch.syspath_prepend(site / "front")
    fact = probe("module.spiral_probe_mod")
    assert fact.value is True
    assert str(site / "front") in fact.evidence


def test_submodules_are_found_in_packages_and_in_namespaces(site: Path) -> None:
    for folder in ("spiral_probe_pkg", "spiral_probe_space/middle/leaf"):
        (site / folder).mkdir(parents=True)
        (site / folder / "__init__.py").write_text(BOMB)
    installed(site, "leafy", "1.0", "spiral_probe_space/middle/leaf/__init__.py,,\n")
    assert probe("module.spiral_probe_space.middle.leaf").value == "1.0"
    assert probe("module.spiral_probe_space.middle.none").state == "absent"
    assert probe("module.spiral_probe_pkg.none").state == "absent"
    assert probe("module.spiral_probe_none.none").state == "absent"
    assert probe("module.os.none").state == "absent"


@pytest.mark.parametrize("name", ["spiral_probe_space", "spiral_probe_space.middle"])
def test_a_folder_without_code_is_no_module(site: Path, name: str) -> None:
    (site / "spiral_probe_space/middle").mkdir(parents=True)
    fact = probe(f"module.{name}")
    assert fact.state == "absent"
    assert "only folders without code" in fact.evidence


def test_a_stand_in_for_a_module_that_is_not_there_does_not_make_it_present(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neoabzu_memory", ModuleType("neoabzu_memory"))
    fact = probe("module.neoabzu_memory")
    assert fact.state == "absent"
    assert "stands loaded under the name" in fact.evidence


def test_a_stand_in_for_a_module_that_is_there_makes_it_unknown(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (site / "spiral_probe_mod.py").write_text(BOMB)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "spiral_probe_mod", ModuleType("spiral_probe_mod"))
        fact = probe("module.spiral_probe_mod")
    assert fact.state == "unknown"
    assert "another object stands loaded" in fact.evidence


@pytest.mark.parametrize("name", ["msgspec", "pytest", "os", "sys", "xml.etree", "importlib.machinery"])
def test_a_module_that_is_loaded_from_its_own_file_is_present(name: str) -> None:
    assert probe(f"module.{name}").state == "present"


def test_the_version_is_the_one_that_the_module_runs() -> None:
    assert probe("module.msgspec").value == msgspec.__version__


@pytest.mark.parametrize("name", ["a..b", "..", "9", "a-b", "__main__", "a.+"])
def test_a_name_that_no_module_can_have_is_absent_or_unknown(name: str) -> None:
    assert probe(f"module.{name}_").state in ("absent", "unknown")


def test_a_finder_that_breaks_makes_the_module_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == "spiral_probe_mod":
                raise OSError("the share is gone")

    monkeypatch.setattr(sys, "meta_path", [Broken, *sys.meta_path])
    fact = probe("module.spiral_probe_mod")
    assert fact.state == "unknown"
    assert "the share is gone" in fact.evidence
