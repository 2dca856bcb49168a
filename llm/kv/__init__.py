"""KV blocks: keys and values of 64 tokens of one layer, the unit that is stored, scored, moved and evicted."""
