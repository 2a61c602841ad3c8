"""The command line: it translates, it decides nothing. Heavy imports wait until a command runs."""

import sys
from typing import Any

import click

from rag.cli.asking import ask, search
from rag.cli.collections import collections
from rag.cli.doctor import doctor
from rag.cli.documents import documents
from rag.cli.evaluation import evaluation
from rag.cli.ingest import ingest
from rag.cli.keys import keys
from rag.cli.reindex import reindex
from rag.cli.serve import serve
from rag.cli.snapshot import snapshot
from rag.cli.store import store
from rag.errors import RagError
from rag.training.commands import reader

_INTERRUPTED = 130  # as a shell has it: 128 and the number of SIGINT


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run a command; an error of this package is one line on stderr and status 1."""
        try:
            return super().invoke(ctx)
        except RagError as error:
            raise click.ClickException(" ".join(str(error).split())) from error
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            ctx.exit(_INTERRUPTED)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chapterverse")
def main() -> None:
    """Ask your own documents: exact quotes with citations, offline."""
    # A terminal or pipe in another encoding must not turn a quote into an error.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


for command in (
    ingest,
    ask,
    search,
    documents,
    collections,
    keys,
    serve,
    reader,
    evaluation,
    snapshot,
    store,
    reindex,
    doctor,
):
    main.add_command(command)
