"""LeafMoE: the packaged mixture of experts. `register` makes it known to transformers' Auto classes."""

from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from llm.leafmoe.adapter import load_adapter, load_leafmoe, merge_low_rank, read_shape, save_adapter, upcycle
from llm.leafmoe.config import LeafMoEConfig
from llm.leafmoe.load import IGNORED, PATCH, TEXT, ExpertLoad, balance
from llm.leafmoe.modeling import LeafMoEForCausalLM, LeafMoEModel

__all__ = [
    "IGNORED",
    "PATCH",
    "TEXT",
    "ExpertLoad",
    "LeafMoEConfig",
    "LeafMoEForCausalLM",
    "LeafMoEModel",
    "balance",
    "load_adapter",
    "load_leafmoe",
    "merge_low_rank",
    "read_shape",
    "register",
    "save_adapter",
    "upcycle",
]


def register() -> None:
    """Let AutoConfig, AutoModel and AutoModelForCausalLM open LeafMoE folders. Calling it again does nothing."""
    AutoConfig.register(LeafMoEConfig.model_type, LeafMoEConfig, exist_ok=True)
    AutoModel.register(LeafMoEConfig, LeafMoEModel, exist_ok=True)
    AutoModelForCausalLM.register(LeafMoEConfig, LeafMoEForCausalLM, exist_ok=True)
