"""Words that tell names from other text, in English and in the legal forms of other countries."""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LEGAL = _words(
    "inc incorporated corp corporation llc llp plc ltd limited lp gmbh ag kg ohg ug sarl sas spa srl bv nv oy oyj aps "
    "pty pte sdn bhd kk pvt"
)
SPELT = _words("llc llp lp plc sa sas spa srl bv nv as sb kg na")  # L.L.C., S.p.A., S/B
COMMON = _words(  # part of many names, and words of their own as well
    "company co group holdings holding enterprise enterprises partners associates industries bank bancorp bancshares "
    "bankshares trust foundation university institute association society council laboratories solutions systems "
    "services trading technologies international ventures capital stores brothers sons restaurant restaurants hotel "
    "pharmacy"
)
INSIDE = _words("of de van von der den du da di la le bin binti & y e et und")  # small words within a name
NO_NAME = _words(  # with a capital at the beginning of a sentence or heading, and no part of a name
    "this that these those the in as whereas if by between among and or with for dear attn re to from now upon at on "
    "is its it any all such no not of exhibit schedule section article page form agreement contract amendment act plan "
    "policy program merger date period january february march april may june july august september october november "
    "december"
)
ABBREVIATED = _words("mr mrs ms dr st jr sr prof co corp bros mt ft")
THINGS = _words("information accounts material property board court courts commission law terms transaction")
PLACES = _words("state commonwealth city county province republic")  # of Ohio
_CAPITAL = re.compile(r"[(（]?[^\W\d_]")


def is_legal_form(token: str) -> bool:
    """ "Inc.", "Sdn.Bhd", "L.L.C.", "S/B": with a capital, as one word between blanks."""
    if not _CAPITAL.match(token) or token.lstrip("(（")[0].islower():
        return False
    words = re.findall(r"\w+", token.lower())
    is_spelt = len(words) > 1 and max(map(len, words)) == 1 and "".join(words) in SPELT
    return is_spelt or not LEGAL.isdisjoint(words)


def is_common_form(token: str) -> bool:
    """ "Company", "Bank", "Enterprises"."""
    return token[:1].isupper() and token.strip(".,").lower() in COMMON


def has_legal_form(text: str) -> bool:
    return any(is_legal_form(token) for token in text.split()[1:])
