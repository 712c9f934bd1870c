"""Python modules: found by the finders that an import would ask, and not imported."""

import os
import pkgutil
import re
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path

from pytest_spiral.model.profile import Fact
from pytest_spiral.profiles.probe.findings import absent, present, unknown


def module(name: str) -> Fact:
    """Find a module's code; the value is its distribution's version, or True where none belongs to it.

    A folder without code (a namespace: `build/` beside the tests) is no module. Where another object stands
    loaded under the name than the one found, the answer is unknown: that may be a stand-in.
    """
    fact, command = f"module.{name}", f"find_spec({name!r})"
    spec = _found(name)
    if spec is None:
        return absent(fact, f"find_spec found no module {name}{_impostor(name)}", command=command)
    if spec.origin is None and spec.submodule_search_locations is not None:
        folders = ", ".join(spec.submodule_search_locations)
        return absent(fact, f"only folders without code of that name: {folders}", command=command)
    stand_in = _stand_in(name, spec)
    if stand_in:
        return unknown(fact, f"{stand_in}, and the module found is {spec.origin}", command=command)
    distribution = _distribution(name, spec)
    evidence = f"{spec.origin}, {_loader(spec)}; {_owner(distribution)}"
    return present(fact, distribution.version if distribution else True, evidence=evidence, command=command)


def _found(name: str) -> ModuleSpec | None:
    """Find a module as an import would, without sys.modules, where anything may stand, and without its parents."""
    head, *rest = name.split(".")
    spec = _top(head)
    full = head
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        full = f"{full}.{part}"
        spec = _below(full, spec.submodule_search_locations)
    return spec


def _top(name: str) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        spec = finder.find_spec(name, None)
        if spec is not None:
            return spec
    return None


def _below(full: str, folders: Iterable[str]) -> ModuleSpec | None:
    """Find a submodule in its package's folders, folder by folder: PathFinder would want the parents imported."""
    portions: list[str] = []
    for folder in folders:
        finder = pkgutil.get_importer(folder)
        spec = finder.find_spec(full) if finder is not None else None
        if spec is not None and spec.loader is not None:
            return spec
        portions.extend((spec.submodule_search_locations or ()) if spec is not None else ())
    if not portions:
        return None
    namespace = ModuleSpec(full, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def _stand_in(name: str, spec: ModuleSpec) -> str:
    """Say what stands loaded under the name, where it does not come from the file that was found."""
    if name not in sys.modules or not spec.has_location or spec.origin is None:
        return ""
    loaded = getattr(sys.modules[name], "__file__", None)
    if isinstance(loaded, str) and os.path.realpath(loaded) == os.path.realpath(spec.origin):
        return ""
    return f"another object stands loaded under the name, from {loaded!r}"


def _impostor(name: str) -> str:
    return "; an object without a file stands loaded under the name" if name in sys.modules else ""


def _distribution(name: str, spec: ModuleSpec) -> metadata.Distribution | None:
    """Find the distribution that put the module where it was found.

    Only that folder is searched: the version of an installed package says nothing of a file of the same name
    elsewhere.
    """
    if spec.origin is None or not spec.has_location:
        return None
    depth = name.count(".") + (spec.submodule_search_locations is not None)
    folder = Path(spec.origin).parents[depth]
    return next((each for each in metadata.distributions(path=[str(folder)]) if _holds(each, name)), None)


def _holds(distribution: metadata.Distribution, name: str) -> bool:
    record = distribution.read_text("RECORD")
    if record is None:
        return name.partition(".")[0] in (distribution.read_text("top_level.txt") or "").split()
    file = rf"^{re.escape(name.replace('.', '/'))}(?:/|\.py,|\.[^/,]*so,|\.pyd,)"
    return re.search(file, record, re.MULTILINE) is not None


def _loader(spec: ModuleSpec) -> str:
    return (
        "no loader" if spec.loader is None else f"loader {getattr(spec.loader, '__name__', type(spec.loader).__name__)}"
    )


def _owner(distribution: metadata.Distribution | None) -> str:
    if distribution is None:
        return "no distribution beside it"
    return f"distribution {distribution.name} {distribution.version}"
