"""A spreadsheet cell's value as its sheet shows it: dates, percent, decimals, thousands, currency."""

import datetime
import re

_CURRENCY = re.compile(r"\[\$([^\]-]+)[^\]]*\]|\"([^\"]*[^\s\"][^\"]*)\"|([$€£¥₹])")
_DIGITS = re.compile(r"([#0?]*,)?[#0?]*(?:\.([0#?]+))?%?")


def shown(value: object, number_format: str = "General") -> str:
    """One line of text; what a format says beyond the words above is left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return value.date().isoformat() if midnight else value.isoformat(" ", "seconds")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, datetime.time):
        return value.isoformat("seconds")
    if isinstance(value, datetime.timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    if isinstance(value, int | float):
        return _number(value, number_format)
    return " ".join(str(value).split())


def _number(value: float, number_format: str) -> str:
    positive, _, rest = number_format.partition(";")
    section = rest.split(";")[0] if value < 0 and rest else positive
    plain = _CURRENCY.sub("", section)
    digits = max(_DIGITS.finditer(plain), key=lambda match: len(match[0]), default=None)
    if section == "General" or "E" in plain or digits is None or "0" not in digits[0]:
        return f"{value:.12g}"
    if digits[0].endswith("%"):
        value *= 100
    decimals = len(digits[2] or "")
    number = f"{abs(value):{',' if digits[1] else ''}.{decimals}f}" + ("%" if digits[0].endswith("%") else "")
    if unit := _CURRENCY.search(section):
        sign = (unit[1] or unit[2] or unit[3]).strip()
        number = f"{sign}{number}" if unit.start() < section.index("0") else f"{number} {sign}"
    return f"-{number}" if value < 0 else number
