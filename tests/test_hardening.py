"""What the code never does, and what it is never installed with."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for top in ("rag", "vectors") for path in (ROOT / top).rglob("*.py"))
ADVISORIES = tomllib.loads((ROOT / "tests" / "advisories.toml").read_text("utf-8"))["advisory"]

# Modules that make objects of bytes by running what the bytes say.
UNPICKLERS = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
# What loads a model, and what has to stand in the call so that the model cannot bring code along.
CLOSED = {"local_files_only": True, "trust_remote_code": False}
LOADERS = {
    "AutoModel.from_pretrained": CLOSED | {"use_safetensors": True},
    "AutoModelForQuestionAnswering.from_pretrained": CLOSED | {"use_safetensors": True},
}


def faults(source: str) -> list[str]:
    """Return what in a source runs code that a file brings along, or may."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                modules = [name.name for name in names]
            case ast.ImportFrom(module=str(module), level=0):
                modules = [module]
            case ast.Call():
                found += _faults_of_call(node)
                continue
            case _:
                continue
        found += [f"imports {m}" for m in modules if m.partition(".")[0] in UNPICKLERS]
    return found


def _faults_of_call(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {
        keyword.arg: keyword.value.value
        for keyword in call.keywords
        if keyword.arg and isinstance(keyword.value, ast.Constant)
    }
    if name in {"eval", "exec", "compile", "__import__", "os.system", "os.popen"}:
        yield f"calls {name}"
    if given.get("shell") or given.get("allow_pickle") or given.get("trust_remote_code"):
        yield f"{name} is told to run what it is given"
    if name == "torch.load" and not given.get("weights_only"):
        yield "torch.load without weights_only"
    if name in {"yaml.load", "yaml.load_all"}:
        loader = next((ast.unparse(k.value) for k in call.keywords if k.arg == "Loader"), "")
        if loader not in {"yaml.BaseLoader", "yaml.SafeLoader", "yaml.CSafeLoader"}:
            yield f"{name} with a loader that runs code"
    if name in {"yaml.full_load", "yaml.unsafe_load"}:
        yield f"calls {name}"
    if name.endswith(".from_pretrained") or name == "SentenceTransformer":
        for option, value in LOADERS.get(name, CLOSED).items():
            if given.get(option) is not value:
                yield f"{name} without {option}={value}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_can_bring_code_along(path: Path) -> None:
    """Nothing is unpickled, evaluated or run by a shell, and no model's own code is loaded."""
    assert faults(path.read_text("utf-8")) == []


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_libraries_that_report_are_loaded_in_one_place(library: str) -> None:
    """The module that keeps them from it, before it loads them."""
    pattern = re.compile(rf"^\s*(?:import|from) {library}\b", flags=re.MULTILINE)
    found = [path.name for path in SOURCES if pattern.search(path.read_text("utf-8"))]
    assert found == [f"quiet_{library}.py"]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("import pickle", id="pickle"),
        pytest.param("from joblib import load", id="joblib"),
        pytest.param("import numpy as np\nnp.load(f, allow_pickle=True)", id="numpy"),
        pytest.param("import torch\ntorch.load(f)", id="torch"),
        pytest.param("torch.load(f, weights_only=False)", id="torch told so"),
        pytest.param(
            "SentenceTransformer(d, local_files_only=True)", id="asks whether to run code"
        ),
        pytest.param(
            "AutoModel.from_pretrained(d, local_files_only=True, trust_remote_code=False)",
            id="pickled weights",
        ),
        pytest.param(
            "AutoTokenizer.from_pretrained(d, trust_remote_code=False)", id="from the hub"
        ),
        pytest.param("f(d, trust_remote_code=True)", id="code of a model"),
        pytest.param("yaml.load(t, Loader=yaml.Loader)", id="yaml"),
        pytest.param("eval(t)", id="eval"),
        pytest.param("subprocess.run(c, shell=True)", id="shell"),
    ],
)
def test_what_brings_code_along_is_found(source: str) -> None:
    """The check sees each of the ways."""
    assert len(faults(source)) == 1


def test_numpy_refuses_pickles(tmp_path: Path) -> None:
    """As it does unless it is told otherwise, on which `np.load` relies here."""
    file = tmp_path / "a.npy"
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        np.load(file)


def pins() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    found = [line.split("==") for line in lines if "==" in line]
    return {canonicalize_name(name): Version(version) for name, version in found}


def floors() -> dict[str, Version]:
    """Return the least version of each package that pyproject.toml names, in all its extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    found = {}
    for requirement in (Requirement(line) for each in lists for line in each):
        if requirement.name == project["name"]:
            continue  # an extra that is a part of another one
        (specifier,) = requirement.specifier
        assert specifier.operator in {">=", "=="}, requirement
        found[canonicalize_name(requirement.name)] = Version(specifier.version)
    return found


@pytest.mark.parametrize("advisory", ADVISORIES, ids=lambda advisory: advisory["id"])
def test_no_version_with_a_known_weakness_is_installed(advisory: dict[str, str]) -> None:
    """The pin is a version without it, and so is the floor of what the project itself asks for."""
    name, fixed = canonicalize_name(advisory["package"]), Version(advisory["fixed"])
    assert pins()[name] >= fixed
    assert floors().get(name, fixed) >= fixed


def test_advisories_are_well_formed() -> None:
    """Each once, sorted by package, with the identifier of a register."""
    entries = [(a["package"].lower(), a["fixed"], a["id"]) for a in ADVISORIES]
    assert [name for name, _, _ in entries] == sorted(name for name, _, _ in entries)
    assert len({id_ for _, _, id_ in entries}) == len(entries)
    for advisory in ADVISORIES:
        assert set(advisory) == {"package", "fixed", "id", "what"}
        assert re.fullmatch(r"CVE-\d{4}-\d{4,}|GHSA(-\w{4}){3}|PYSEC-\d{4}-\d+", advisory["id"])


def test_what_is_asked_for_is_pinned() -> None:
    """Every package that pyproject.toml names has one version in constraints.txt, not below."""
    pinned = pins()
    assert {name for name, floor in floors().items() if pinned[name] < floor} == set()
