"""The long-context runtime: what a forward pass sees of everything that was read, and how it attends to it."""
