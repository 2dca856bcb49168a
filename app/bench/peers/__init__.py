"""The sides of the speed measurement: each a function `visit(task) -> Timing` that runs in a process of its own."""
