"""Training of LeafMoE: data, packing, loop and scores. Run as `python -m llm.training`."""
