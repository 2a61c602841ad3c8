"""Ingestion over the machines of a Ray cluster: its workers parse, cut and embed files.

`pipeline` hands files out and takes in what becomes of them, `writing` puts that into a store,
`cluster` joins the cluster and looks whether its nodes can do the work, `workers` are the processes
there, `stages` what they do, in plain Python, and `rows` what passes between them. Ray and Arrow
come with the extra `chapterverse[ray]`: `pipeline` and `workers` load them, nothing else does.
"""
