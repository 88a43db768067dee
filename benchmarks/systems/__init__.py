"""The systems that `accuracy.py` compares, one a file; each runs as a process of its own (`python -m systems.NAME`)."""
