"""The parts of `bench_scale.py`: a corpus of any size, what is true of it, and the two stores."""
