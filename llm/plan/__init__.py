"""What a model takes, from its config alone: bytes of weights, keys and values and index, and which machines hold it.

`plan_of` is the door. No weights are loaded and no memory is taken for them. Nothing here says how fast a machine is.
"""

from llm.plan.plan import Plan, plan_of
from llm.plan.weights import WeightsDtype

__all__ = ["Plan", "WeightsDtype", "plan_of"]
