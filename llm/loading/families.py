"""Which of transformers' classes opens a checkpoint as a language model."""

from typing import Any

from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PretrainedConfig

from llm.errors import ModelNotFound


def model_class(config: PretrainedConfig, *, with_eyes: bool = False) -> Any:
    """The Auto class: the language model alone where transformers can open that, else with its image tower.

    `with_eyes`: with the tower wherever there is one. Raises ModelNotFound for a model that writes no text.
    """
    classes = (AutoModelForCausalLM, AutoModelForImageTextToText)
    for auto in reversed(classes) if with_eyes else classes:
        if type(config) in auto._model_mapping:
            return auto
    raise ModelNotFound(
        f"model type {config.model_type!r} has no language model in this version of transformers; "
        "use a model of another family, or a newer transformers"
    )
