"""Runs the command line as `python -m rag.cli`."""

from rag.cli import main

main(prog_name="rag")
