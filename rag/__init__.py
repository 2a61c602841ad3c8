"""Extractive question answering over your own documents: exact spans, each with a citation."""
