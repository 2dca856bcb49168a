"""The projector of a backbone, from the file in `assets/` that was fitted to its tokenizer.

A backbone whose tokenizer none was fitted to has none; page images then reach it as recognised text. The file is
made by `python -m llm.training.patches`.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from safetensors import safe_open
from safetensors.numpy import save_file
from transformers import PreTrainedTokenizerBase

from vision import Projector, Vocabulary

FOLDER = Path(__file__).resolve().parents[1] / "assets"
_PREFIX = "patches-"


def projector_of(tokenizer: PreTrainedTokenizerBase, folder: Path = FOLDER) -> Projector | None:
    """The projector whose file names this tokenizer; None where there is none."""
    digest = vocabulary_digest(tokenizer)
    for path in sorted(folder.glob(f"{_PREFIX}*.safetensors")):
        with safe_open(path, "numpy") as file:
            told = file.metadata()
            if told.get("tokenizer") == digest:
                vocabulary = Vocabulary(token_texts(tokenizer), file.get_tensor("log_probability"))
                return Projector(vocabulary, float(told["sharpness"]), float(told["prior"]))
    return None


def save_projector(projector: Projector, tokenizer: PreTrainedTokenizerBase, path: Path) -> None:
    """Writes the file that `projector_of` finds, if it lies in `assets/` and is named "patches-….safetensors"."""
    told = {
        "tokenizer": vocabulary_digest(tokenizer),
        "sharpness": str(projector.sharpness),
        "prior": str(projector.prior),
    }
    log_probability = projector.vocabulary.log_probabilities().astype("float16")
    save_file({"log_probability": log_probability}, path, told)


def token_texts(tokenizer: PreTrainedTokenizerBase) -> dict[int, str]:
    """The text of every token that is not special; one that is part of a character shows U+FFFD."""
    ids = sorted(set(range(len(tokenizer))) - set(tokenizer.all_special_ids))
    texts = tokenizer.batch_decode([[token_id] for token_id in ids], clean_up_tokenization_spaces=False)
    return dict(zip(ids, texts, strict=True))


@lru_cache(maxsize=1)  # every store asks, and 49,000 entries take 0.15 s
def vocabulary_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """Names the tokens and their ids."""
    return hashlib.sha256(repr(sorted(tokenizer.get_vocab().items())).encode()).hexdigest()
