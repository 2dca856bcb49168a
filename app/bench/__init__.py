"""Measurements that anyone can repeat: `python app.py bench …`. What they found is in docs/BENCHMARKS.md."""
