"""Names and addresses for documents that are made up: of people, companies and places, from many countries."""

import random

_FIRST = (
    "Anna|James|Maria|Wei|Omar|Lucia|Peter|Fatima|John|Sofia|David|Mei|Carlos|Emma|Ivan|Grace|Ahmed|Julia|Paul|Nina|"
    "Robert|Siti|Kenji|Linda|Thomas|Priya|Mark|Helen|Rajesh|Laura|Stefan|Chloe|Hassan|Ingrid|Victor|Amara"
)
_LAST = (
    "Smith|Lee|Tanaka|Garcia|Novak|Khan|Brown|Muller|Rossi|Tan|Jensen|Silva|Clark|Kim|Dubois|Wong|Patel|Lopez|Evans|"
    "Whitaker|Abdullah|Ferreira|Okafor|Lindqvist|Haddad|Moreau|Castellano|Bergstrom|Nakamura|Lim|Fischer"
)
_HEAD = (
    "Northwind|Apex|Sunrise|Blue River|Golden Harbor|Summit|Evergreen|Pioneer|Lotus|Crystal|Metro|United|Silver Oak|"
    "Redwood|Syarikat|Old Mill|First Coastal|Advance|Bright|Cempaka|Melati|Juniper|Osprey|Kestrel|Tidewater|"
    "Orchid|Prime|Vantage|Meridian|Stonegate|Halcyon|Quantum|Delta|Three Rivers|Great Plains|Restoran|Larkspur"
)
_TAIL = (
    "Trading|Foods|Systems|Holdings|Pharma|Logistics|Hardware|Restaurant|Stationery|Energy|Media|Consulting|Motors|"
    "Software|International|Enterprise|Bakeries|Gallery|Technologies|Capital|Bank|Stationers|Supermarket|Industries|"
    "Group|Partners|Laboratories|Machinery|Book Store|Auto Parts"
)
_FORM = (
    "Inc.|LLC|Ltd|Corp.|Sdn Bhd|SDN BHD|Sdn. Bhd.|GmbH|Limited|Co.|L.P.|PLC|Corporation|, Inc.|, LLC|Pte Ltd|S.A.|AG||"
    "(M) Sdn Bhd|Incorporated|Company"
)
_STREET = (
    "Main Street|Jalan Bukit|Park Avenue|King Road|Lake View Drive|Industrial Way|Church Lane|Market Square|"
    "Elm Street|Jalan Mawar 2/7|Lorong Seroja 8|Hauptstrasse|Rue de Lyon|Broadway|Jalan PU 4/11|Bay Street"
)
_UNIT = "Lot 12|Unit 4B|Suite 300|No. 17|Ground Floor|Level 8, Tower A|Block C|P.O. Box 91|Building 7|2nd Floor"
_AREA = (
    "Taman Seri Murni|Bandar Lembah|Riverside Business Park|Old Town|Kampung Lada|West End|"
    "Science Park|Harbour Quarter|Pusat Bandar"
)
_CITY = (
    "Boston, MA 02110|50480 Kuala Lumpur|Austin, TX 78701|London EC2A 4NE|Dover, DE 19901|Singapore 049315|"
    "Chicago, IL 60601|Leeds LS1 5AB|75200 Melaka|30000 Ipoh, Perak|Denver, Colorado 80202|"
    "10115 Berlin|Toronto, Ontario M5H 2N2|10200 George Town, Penang|Atlanta, Georgia 30303|75001 Paris|Dublin 2"
)


def some(rng: random.Random, choices: str) -> str:
    """One of the choices between bars."""
    return rng.choice(choices.split("|"))


def person(rng: random.Random) -> str:
    middle = f" {rng.choice('ABCDEGHJKLMPRSTW')}." if rng.random() < 0.25 else ""
    return f"{some(rng, _FIRST)}{middle} {some(rng, _LAST)}"


def company(rng: random.Random) -> str:
    """Of one to six words; half of them named after a thing, the others after people."""
    head = some(rng, _HEAD) if rng.random() < 0.6 else some(rng, _LAST)
    if rng.random() < 0.15:
        head = f"{head} & {some(rng, _LAST)}"
    tail = f" {some(rng, _TAIL)}" if rng.random() < 0.85 else ""
    form = some(rng, _FORM)
    return f"{head}{tail}{'' if form.startswith(',') or not form else ' '}{form}"


def address_lines(rng: random.Random) -> list[str]:
    """An address as it is printed on one to four lines; joined by commas, it is what it is answered with."""
    lines = [f"{rng.randint(1, 990)} {some(rng, _STREET)}", some(rng, _CITY)]
    if rng.random() < 0.45:
        lines.insert(0, some(rng, _UNIT))
    if rng.random() < 0.4:
        lines.insert(-1, some(rng, _AREA))
    return lines
