"""The HTTP edge: it translates between the wire and the answering core, and decides nothing."""
