"""Chat templates in the manner of several families, in our own words, and small tokenizers that know their tokens.

They write calls as the released ones do; what does not matter for that is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

_CALLS = "{% for call in message.tool_calls %}{% set f = call.function %}"
_TURNS = "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
_ASSISTANT = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
_HERMES_HEAD = (
    "{% if tools %}<|im_start|>system\n<tools>{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>"
    "<|im_end|>\n{% endif %}"
)
_HERMES_RESULT = (
    "{% elif message.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ message.content }}\n</tool_response>"
    "<|im_end|>\n"
)

HERMES = (
    _HERMES_HEAD + "{% for message in messages %}{% if message.tool_calls %}<|im_start|>assistant\n"
    "{{ message.content }}" + _CALLS + "\n<tool_call>\n"
    '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n'
    + _HERMES_RESULT + "{% else %}" + _TURNS + "{% endif %}{% endfor %}" + _ASSISTANT
)  # fmt: skip
# the last turn opens with empty thinking, others do not
QWEN3 = (
    _HERMES_HEAD + "{% for message in messages %}{% if message.role == 'assistant' %}<|im_start|>assistant\n"
    "{% if loop.last %}<think>\n\n</think>\n\n{% endif %}{{ message.content }}" + _CALLS + "<tool_call>\n"
    '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n'
    + _HERMES_RESULT + "{% else %}" + _TURNS + "{% endif %}{% endfor %}" + _ASSISTANT
)  # fmt: skip
QWEN_CODER = (
    _HERMES_HEAD + "{% for message in messages %}{% if message.tool_calls %}<|im_start|>assistant\n"
    + _CALLS + "<tool_call>\n<function={{ f.name }}>\n{% for key, value in f.arguments | items %}"
    "<parameter={{ key }}>\n{{ value }}\n</parameter>\n{% endfor %}</function>\n</tool_call>{% endfor %}<|im_end|>\n"
    + _HERMES_RESULT + "{% else %}" + _TURNS + "{% endif %}{% endfor %}" + _ASSISTANT
)  # fmt: skip
# results are written as JSON, since a text can be iterated over, too
LLAMA_31 = (
    "<|begin_of_text|>{% for message in messages %}{% if message.tool_calls %}"
    "{% if message.tool_calls | length != 1 %}{{ raise_exception('one call at once') }}{% endif %}"
    "<|start_header_id|>assistant<|end_header_id|>\n\n" + _CALLS +
    '{"name": "{{ f.name }}", "parameters": {{ f.arguments | tojson }}}{% endfor %}<|eot_id|>'
    "{% elif message.role == 'tool' %}<|start_header_id|>ipython<|end_header_id|>\n\n"
    "{% if message.content is iterable %}{{ message.content | tojson }}{% endif %}<|eot_id|>"
    "{% else %}<|start_header_id|>{{ message.role }}<|end_header_id|>\n\n"
    "{% if loop.first and tools %}{% for tool in tools %}{{ tool | tojson(indent=4) }}\n\n{% endfor %}{% endif %}"
    "{{ message.content | trim }}<|eot_id|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)  # fmt: skip
LLAMA_4 = (
    "<|begin_of_text|>{% if tools %}<|header_start|>system<|header_end|>\n\n"
    "{% for tool in tools %}{{ tool | tojson(indent=4) }}\n\n{% endfor %}<|eot|>{% endif %}"
    "{% for message in messages %}{% if message.tool_calls %}<|header_start|>assistant<|header_end|>\n\n"
    "<|python_start|>{{ message.content }}<|python_end|>" + _CALLS +
    '{{ \'{"name": "\' + f.name + \'", "parameters": \' }}{{ f.arguments | tojson }}{{ "}" }}{% endfor %}<|eot|>'
    "{% elif message.role == 'tool' %}<|header_start|>ipython<|header_end|>\n\n{{ message.content | tojson }}<|eot|>"
    "{% else %}<|header_start|>{{ message.role }}<|header_end|>\n\n{{ message.content }}<|eot|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|header_start|>assistant<|header_end|>\n\n{% endif %}"
)  # fmt: skip
# takes arguments as text alone, opens thinking, and says nothing of what can be called
DEEPSEEK_R1 = (
    "<｜begin▁of▁sentence｜>{% for message in messages %}{% if message.role == 'user' %}<｜User｜>{{ message.content }}"
    "{% elif message.tool_calls %}<｜Assistant｜><｜tool▁calls▁begin｜>" + _CALLS +
    "<｜tool▁call▁begin｜>{{ call.type + '<｜tool▁sep｜>' + f.name + '\n```json\n' + f.arguments + '\n```' }}"
    "<｜tool▁call▁end｜>{% endfor %}<｜tool▁calls▁end｜><｜end▁of▁sentence｜>"
    "{% elif message.role == 'tool' %}<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>{{ message.content }}"
    "<｜tool▁output▁end｜><｜tool▁outputs▁end｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt and messages[-1].role != 'tool' %}<｜Assistant｜><think>\n{% endif %}"
)  # fmt: skip
DEEPSEEK_V31 = (
    "<｜begin▁of▁sentence｜>{% for message in messages %}{% if message.role == 'user' %}<｜User｜>{{ message.content }}"
    "{% elif message.tool_calls %}<｜Assistant｜></think>" + _CALLS +
    "{% if loop.first %}<｜tool▁calls▁begin｜>{% endif %}<｜tool▁call▁begin｜>"
    "{{ f.name + '<｜tool▁sep｜>' + f.arguments + '<｜tool▁call▁end｜>' }}{% endfor %}<｜tool▁calls▁end｜>"
    "<｜end▁of▁sentence｜>{% elif message.role == 'tool' %}<｜tool▁output▁begin｜>{{ message.content }}"
    "<｜tool▁output▁end｜>{% endif %}{% endfor %}"
    "{% if add_generation_prompt and messages[-1].role == 'user' %}<｜Assistant｜></think>{% endif %}"
)  # fmt: skip
# no token ends a turn: the next one begins
GLM_45 = (
    "[gMASK]<sop>{% if tools %}<|system|>\n<tools>{% for tool in tools %}\n{{ tool | tojson }}{% endfor %}\n</tools>"
    "{% endif %}{% for message in messages %}{% if message.role == 'user' %}<|user|>\n{{ message.content }}"
    "{% elif message.role == 'tool' %}<|observation|>\n<tool_response>\n{{ message.content }}\n</tool_response>"
    "{% else %}<|assistant|>\n<think></think>" + _CALLS + "\n<tool_call>{{ f.name }}\n"
    "{% for key, value in f.arguments | items %}<arg_key>{{ key }}</arg_key>\n"
    "<arg_value>{{ value if value is string else value | tojson }}</arg_value>\n{% endfor %}</tool_call>{% endfor %}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)  # fmt: skip
# the tool's name stands in the call's id alone
KIMI = (
    "{% if tools %}<|im_system|>tool_declare<|im_middle|>{{ tools | tojson }}<|im_end|>{% endif %}"
    "{% for message in messages %}<|im_{{ message.role if message.role != 'tool' else 'system' }}|>{{ message.role }}"
    "<|im_middle|>{% if message.role == 'tool' %}## Return of {{ message.tool_call_id }}\n{% endif %}"
    "{{ message.content }}{% if message.tool_calls %}<|tool_calls_section_begin|>" + _CALLS +
    "<|tool_call_begin|>{{ call.id }}<|tool_call_argument_begin|>{{ f.arguments | tojson }}<|tool_call_end|>"
    "{% endfor %}<|tool_calls_section_end|>{% endif %}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_assistant|>assistant<|im_middle|>{% endif %}"
)  # fmt: skip
# takes ids of nine letters and digits alone
MISTRAL = (
    "<s>{% for message in messages %}{% if message.role == 'user' %}[AVAILABLE_TOOLS] {{ tools | tojson }}"
    "[/AVAILABLE_TOOLS][INST] {{ message.content }}[/INST]{% elif message.tool_calls %}[TOOL_CALLS] [" + _CALLS +
    "{% if call.id | length != 9 %}{{ raise_exception('nine letters and digits') }}{% endif %}"
    '{"name": "{{ f.name }}", "arguments": {{ f.arguments | tojson }}, "id": "{{ call.id }}"}{% endfor %}]</s>'
    "{% elif message.role == 'tool' %}[TOOL_RESULTS] {\"content\": {{ message.content | tojson }}}[/TOOL_RESULTS]"
    "{% endif %}{% endfor %}"
)  # fmt: skip
GEMMA_4 = (
    "<bos>{% if tools %}<|turn>system\n{{ tools | tojson }}<turn|>\n{% endif %}{% for message in messages %}"
    "{% if message.role == 'user' %}<|turn>user\n{{ message.content }}<turn|>\n"
    "{% elif message.tool_calls %}<|turn>model\n" + _CALLS + "<|tool_call>call:{{ f.name }}{{ '{' }}"
    "{% for key, value in f.arguments | items %}{{ ',' if not loop.first }}{{ key }}:"
    "{{ '<|\"|>' + value + '<|\"|>' if value is string else value }}{% endfor %}{{ '}' }}<tool_call|>{% endfor %}"
    "{% elif message.role == 'tool' %}<|tool_response>response:{{ message.name }}{{ '{' }}value:<|\"|>"
    "{{ message.content }}<|\"|>{{ '}' }}<tool_response|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt and messages[-1].role == 'user' %}<|turn>model\n{% endif %}"
)  # fmt: skip
NO_CALLS = "{% for message in messages %}" + _TURNS + "{% endfor %}" + _ASSISTANT
_ONLY_CALLS = (
    "{% for message in messages %}{% if message.tool_calls %}<|im_start|>assistant\n" + _CALLS +
    "CALL{% endfor %}<|im_end|>\n{% elif message.role == 'user' or SHOWN %}" + _TURNS
    + "{% endif %}{% endfor %}" + _ASSISTANT
)  # fmt: skip
NAME_LAST = _ONLY_CALLS.replace("CALL{%", "{{ f.arguments | tojson }} for {{ f.name }}{%").replace("SHOWN", "true")
NO_RESULT = _ONLY_CALLS.replace("CALL{%", "{{ f.name }} {{ f.arguments | tojson }}{%").replace("SHOWN", "false")
OBJECTS_OF_PYTHON = _ONLY_CALLS.replace("CALL{%", "{{ f.name }} {{ f.arguments }}{%").replace("SHOWN", "true")


@dataclass(frozen=True, slots=True)
class Family:
    """A template, and the tokens that are more than text. `plain`: those that are no special tokens."""

    template: str
    special: tuple[str, ...]
    stops: tuple[str, ...]
    plain: tuple[str, ...] = ()

    def tokenizer(self, more: Sequence[str] = (), *, with_blanks: bool = False) -> PreTrainedTokenizerFast:
        """Over single bytes, and these tokens. `with_blanks`: as SentencePiece, it puts a blank before every text."""
        bpe = _with_blanks() if with_blanks else _over_bytes()
        bpe.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in self.special])
        bpe.add_tokens([AddedToken(token, normalized=False) for token in (*self.plain, *more)])
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=self.stops[0])
        tokenizer.chat_template = self.template
        return tokenizer


def _over_bytes() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bpe = Tokenizer(models.BPE(vocab={symbol: index for index, symbol in enumerate(alphabet)}, merges=[]))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    return bpe


def _with_blanks() -> Tokenizer:
    symbols = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
    vocab = {symbol: index for index, symbol in enumerate(symbols)}
    bpe = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    strip = decoders.Strip(" ", 1, 0)
    bpe.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), strip])
    return bpe


_IM = ("<|im_start|>", "<|im_end|>")
_HEADERS_31 = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
_HEADERS_4 = (
    "<|begin_of_text|>",
    "<|header_start|>",
    "<|header_end|>",
    "<|eot|>",
    "<|python_start|>",
    "<|python_end|>",
)
_DEEPSEEK = (
    "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁end｜>", "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>",
    "<｜tool▁outputs▁begin｜>", "<｜tool▁outputs▁end｜>", "<｜tool▁output▁begin｜>", "<｜tool▁output▁end｜>",
)  # fmt: skip
_TAGS = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
_THINK = ("<think>", "</think>")
_GLM = ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")
_GLM_TAGS = (*_THINK, *_TAGS, "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")
_KIMI = (
    "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>", "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>",
)  # fmt: skip
_MISTRAL = (
    "<s>", "</s>", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_CALLS]", "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)  # fmt: skip
_GEMMA = (
    "<bos>",
    "<|turn>",
    "<turn|>",
    "<|tool_call>",
    "<tool_call|>",
    "<|tool_response>",
    "<tool_response|>",
    '<|"|>',
)

FAMILIES = {
    "Hermes": Family(HERMES, _IM, ("<|im_end|>",)),  # its tags are plain text
    "Qwen3": Family(QWEN3, _IM, ("<|im_end|>",), (*_TAGS, *_THINK)),
    "Qwen3-Coder": Family(QWEN_CODER, _IM, ("<|im_end|>",), _TAGS),
    "Llama 3.1": Family(LLAMA_31, _HEADERS_31, ("<|eot_id|>",)),
    "Llama 4": Family(LLAMA_4, _HEADERS_4, ("<|eot|>",)),
    "DeepSeek-R1": Family(DEEPSEEK_R1, _DEEPSEEK, ("<｜end▁of▁sentence｜>",), _THINK),
    "DeepSeek-V3.1": Family(DEEPSEEK_V31, _DEEPSEEK, ("<｜end▁of▁sentence｜>",), _THINK),
    "GLM-4.5": Family(GLM_45, _GLM, ("<|user|>", "<|observation|>"), _GLM_TAGS),
    "Kimi K2.5": Family(KIMI, _KIMI, ("<|im_end|>",)),
    "Mistral": Family(MISTRAL, _MISTRAL, ("</s>",)),
    "Gemma 4": Family(GEMMA_4, _GEMMA, ("<turn|>", "<|tool_response>")),
}
