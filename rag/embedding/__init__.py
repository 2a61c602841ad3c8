"""Embedding: texts become unit vectors.

`weights` finds and checks a model's files, `converted` keeps them in a form that starts and runs
fast, `compiled` embeds with that form, `reference` embeds with sentence-transformers on PyTorch.
"""
