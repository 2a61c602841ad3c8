"""Writes the OpenAPI document that the tests compare with: `make contract-document`."""

import json
import tempfile
from pathlib import Path
from typing import Any

from rag.api import contract
from rag.api.app import create_app
from tests.services import make_service

FILE = Path(__file__).with_name("openapi.json")


def document(home: Path) -> dict[str, Any]:
    """Return the document of a service that needs keys."""
    service = make_service(home)
    try:
        made = create_app(service).openapi_schema.to_schema()
    finally:
        service.close()
    whole: dict[str, Any] = json.loads(json.dumps(contract.complete(made, keys=True)))
    return whole


def main() -> None:
    """Write it."""
    with tempfile.TemporaryDirectory() as directory:
        text = json.dumps(document(Path(directory)), indent=1, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
