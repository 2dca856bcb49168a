"""How a source is to be read: limits, password, page range. Plain frozen values, validated when made."""

from dataclasses import dataclass, field

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one source may cost before it is refused with a sentence. All positive."""

    max_file_bytes: int = 1024 * MIB  # one file
    max_pages: int = 20_000  # one file
    max_image_pixels: int = 120_000_000  # one image or one rendered page
    max_image_side_px: int = 65_000
    max_archive_bytes: int = 4096 * MIB  # an archive unpacked, and an office file's or a PDF stream's expansion
    max_archive_members: int = 100_000
    max_expansion: int = 200  # unpacked bytes / packed bytes of an archive member over 1 MiB
    read_timeout_s: float = 1800.0  # one file in its child process
    read_memory_bytes: int = 6144 * MIB  # one child process

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value <= 0:
                raise ValueError(f"limit {name} is {value}; it must be positive")


@dataclass(frozen=True, slots=True)
class PageRange:
    """Pages to read, as closed intervals of page numbers counted from 1: "3-7,12" is ((3, 7), (12, 12))."""

    intervals: tuple[tuple[int, int], ...]

    @classmethod
    def parse(cls, text: str) -> "PageRange":
        """Raises ValueError with one sentence for anything but "12", "3-7" and comma lists of them."""
        intervals = []
        for part in text.replace(" ", "").split(","):
            first, dash, last = part.partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                raise ValueError(f"page range {text!r} is not understood; write it as 3-7,12")
            low, high = int(first), int(last or first)
            if not 1 <= low <= high:
                raise ValueError(f"page range {part!r} runs from {low} to {high}; it must start at 1 or later and rise")
            intervals.append((low, high))
        return cls(tuple(intervals))

    def __contains__(self, page_no: object) -> bool:
        return isinstance(page_no, int) and any(low <= page_no <= high for low, high in self.intervals)

    def __str__(self) -> str:
        return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in self.intervals)


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a person may choose about reading one source."""

    password: str | None = field(default=None, repr=False)
    pages: PageRange | None = None  # None: all
    ocr: bool = True  # recognise text on scanned pages and pictures
    limits: Limits = Limits()

    def page_numbers(self, total: int) -> list[int]:
        """The numbers of the pages to read, of a file that has `total`."""
        return [page_no for page_no in range(1, total + 1) if self.pages is None or page_no in self.pages]
