"""How dates, durations and numbers look in English text.

Patterns only find; of a field's value, `app.extraction.values` and its libraries decide what was meant.
"""

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|"
    r"Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:\s?(?:st|nd|rd|th))?"
_YEAR = r"(?:(?:19|20)\d\d|['’]\d\d)"
DATE = (
    r"(?i)(?<![\w/.-])(?:"
    rf"{_MONTH}\s*{_DAY}\s?,?\s*{_YEAR}"  # February 8, 1999
    rf"|{_DAY}\s?(?:day\s)?(?:of\s)?[\s-]?{_MONTH}[\s,-]*(?:of\s)?{_YEAR}"  # 8th day of February, 1999
    r"|(?:19|20)\d\d[/.-](?:1[0-2]|0?[1-9])[/.-](?:3[01]|[12]\d|0?[1-9])"  # 1999-02-08
    r"|(?:3[01]|[12]\d|0?[1-9])([/.-])(?:3[01]|[12]\d|0?[1-9])\1(?:(?:19|20)\d\d|\d\d)"  # 08/02/1999
    r")(?![\w/-])"
)
MONTH_BEFORE_DAY = rf"(?i)\b{_MONTH}\s*{_DAY}\s?,\s*{_YEAR}"

# Where the month comes first in numbers: the United States, told by their states and postal codes.
AMERICAN = (
    r"\b(?:Alabama|Alaska|Arizona|Arkansas|California|Colorado|Connecticut|Delaware|Florida|Hawaii|Idaho|Illinois|Indiana|"
    r"Iowa|Kansas|Kentucky|Louisiana|Maine|Maryland|Massachusetts|Michigan|Minnesota|Mississippi|Missouri|Montana|Nebraska|"
    r"Nevada|New Hampshire|New Jersey|New Mexico|New York|North Carolina|North Dakota|Ohio|Oklahoma|Oregon|"
    r"Pennsylvania|Rhode Island|South Carolina|South Dakota|Tennessee|Texas|Utah|Vermont|Virginia|Washington|Wisconsin|"
    r"Wyoming)\b"
    r"|\b[A-Z]{2}\s\d{5}(?:-\d{4})?\b|\bUnited States\b|\bU\.S\."
)

WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "fifteen": 15, "eighteen": 18, "twenty": 20, "twenty-four": 24, "thirty": 30,
    "thirty-six": 36, "forty-five": 45, "sixty": 60, "ninety": 90,
}  # fmt: skip
_COUNT = rf"(?:\d+|(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})(?:\s*\(\s*\d+\s*\))?)"
DURATION = rf"\b(?i:{_COUNT}[\s-]+(?:calendar\s|full\s|consecutive\s|business\s)?(?:year|month|week|day)s?)\b"

# Without currency or percent: those may be written or not, and what is written must be one of what was found.
NUMBER = r"(?:(?<![\w.,])|(?<=\b[A-Z]{2})|(?<=\b[A-Z]{3}))-?\d(?:[\d.,'’]*\d)?(?!\w)"
