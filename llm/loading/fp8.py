"""Checkpoints in FP8 blocks (DeepSeek-V3 and its kin) opened where no GPU computes in FP8: as plain numbers.

W = weight * scale of its block, blocks of 128 x 128 (DeepSeek-V3, README_WEIGHTS.md). A matrix's last blocks may be
shorter: 576 rows have five scales. transformers divides the rows by the number of scales, so that it refuses such a
matrix, or spreads its scales wrongly where the division comes out even; here every block has the config's size.
"""

from typing import Any

import torch
from transformers import PretrainedConfig
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING, register_quantization_config, register_quantizer
from transformers.quantizers.quantizer_finegrained_fp8 import FineGrainedFP8HfQuantizer
from transformers.utils.quantization_config import FineGrainedFP8Config

_METHOD = "fp8_blocks"


def open_as_plain_numbers(config: PretrainedConfig) -> None:
    """Lets `from_pretrained(config=config)` dequantise an FP8 checkpoint; any other is left as it is."""
    declared = getattr(config, "quantization_config", None)
    if not isinstance(declared, dict) or declared.get("quant_method") != "fp8":
        return
    _register()
    config.quantization_config = {**declared, "quant_method": _METHOD, "dequantize": True}


def dequantised(weight: torch.Tensor, scales: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    """weight (…, out, in) float8, scales (…, ceil(out / block), ceil(in / block)) -> (…, out, in) float32."""
    rows, columns = weight.shape[-2:]
    needed = (-(-rows // block[0]), -(-columns // block[1]))
    if scales.shape[-2:] != needed:
        raise ValueError(
            f"a matrix of {rows} x {columns} in blocks of {block[0]} x {block[1]} needs {needed[0]} x {needed[1]} "
            f"scales and has {' x '.join(map(str, scales.shape))}; the checkpoint is damaged"
        )
    spread = scales.float().repeat_interleave(block[0], -2).repeat_interleave(block[1], -1)
    return weight.float() * spread[..., :rows, :columns]


class _Dequantise(Fp8Dequantize):
    """One matrix at a time, while a checkpoint is read."""

    def _dequantize_one(
        self, quantized: torch.Tensor, scales: torch.Tensor, output_dtype: torch.dtype | None = None
    ) -> torch.Tensor:
        block = self.hf_quantizer.quantization_config.weight_block_size
        if block is None or quantized.dtype != torch.float8_e4m3fn or not scales.dtype.is_floating_point:
            plain: torch.Tensor = super()._dequantize_one(quantized, scales, output_dtype)
            return plain
        return dequantised(quantized, scales, tuple(block)).to(output_dtype or torch.bfloat16)


class _Quantiser(FineGrainedFP8HfQuantizer):
    def get_load_operations(self) -> dict[str, Any]:
        return {"dequantize": _Dequantise}


def _register() -> None:
    if _METHOD not in AUTO_QUANTIZER_MAPPING:
        register_quantizer(_METHOD)(_Quantiser)
        register_quantization_config(_METHOD)(FineGrainedFP8Config)
