"""Training a reader: from labelled questions to a model directory the runtime reader loads.

One module a stage: `data` reads questions, `passages` and `augmentation` vary them, `negatives`
finds passages that do not answer, `curriculum` puts an epoch together, `features` turns it into
windows and batches, `model` is the network, `loop` trains it, `evaluation` measures it,
`exporting` (with `smoothing`) writes it as int8 ONNX and `calibrating` fits its confidence.
"""
