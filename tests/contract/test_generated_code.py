"""The generated code is what the .proto files beside it generate, byte for byte."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTOS = sorted((ROOT / "spiral_contract").glob("*.proto"))


def generate(source: Path, names: list[str], target: Path) -> dict[str, bytes]:
    """Generate from `source`/spiral_contract/NAME into `target`; the files that came out by name."""
    outputs = [f"--{kind}_out={target}" for kind in ("python", "pyi", "grpc_python")]
    protos = [f"spiral_contract/{name}" for name in names]
    command = [sys.executable, "-P", "-m", "grpc_tools.protoc", f"-I{source}", *outputs, *protos]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=60)
    return {path.name: path.read_bytes() for path in (target / "spiral_contract").iterdir()}


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    return generate(ROOT, [proto.name for proto in PROTOS], tmp_path_factory.mktemp("generated"))


def test_there_is_something_to_generate():
    assert {"connectors.proto", "vector.proto"} <= {proto.name for proto in PROTOS}


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
def test_the_committed_code_is_what_the_proto_generates(generated, proto):
    for name in (f"{proto.stem}_pb2.py", f"{proto.stem}_pb2.pyi", f"{proto.stem}_pb2_grpc.py"):
        assert (ROOT / "spiral_contract" / name).read_bytes() == generated[name], (
            f"{name} is not what {proto.name} generates; see spiral_contract/README.md"
        )


def test_no_generated_file_has_lost_its_proto(generated):
    committed = {path.name for path in (ROOT / "spiral_contract").glob("*_pb2*.py*")}
    by_hand = {f"{proto.stem}_pb2_grpc.pyi" for proto in PROTOS}
    assert committed - by_hand == set(generated)


@pytest.mark.parametrize("proto", PROTOS, ids=lambda proto: proto.stem)
def test_the_types_kept_by_hand_name_every_method_of_every_service(proto):
    tree = ast.parse((ROOT / "spiral_contract" / f"{proto.stem}_pb2_grpc.pyi").read_text(encoding="utf-8"))
    typed = {c.name: names_in(c) for c in tree.body if isinstance(c, ast.ClassDef)}
    services = importlib.import_module(f"spiral_contract.{proto.stem}_pb2").DESCRIPTOR.services_by_name
    assert typed == {
        f"{name}{kind}": set(service.methods_by_name)
        for name, service in services.items()
        for kind in ("Stub", "Servicer")
    }


def names_in(body):
    names = {n.target.id for n in body.body if isinstance(n, ast.AnnAssign)}
    return names | {n.name for n in body.body if isinstance(n, ast.FunctionDef) and n.name != "__init__"}


def test_a_changed_proto_generates_other_code(tmp_path, generated):
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "spiral_contract").mkdir(parents=True)
    target.mkdir()
    text = (ROOT / "spiral_contract" / "connectors.proto").read_text(encoding="utf-8")
    changed = text.replace("string chakra = 1;", "string chakra = 9;")
    assert changed != text
    (source / "spiral_contract" / "connectors.proto").write_text(changed, encoding="utf-8")
    again = generate(source, ["connectors.proto"], target)
    assert again["connectors_pb2.py"] != generated["connectors_pb2.py"]
