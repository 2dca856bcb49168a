"""Fragments for documents that people share: at one's own documents, and the list of what is shared with everybody."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby

from app.people import Shared
from app.service import Entry
from app.web.render.basics import button, documents, escape, name
from app.web.texts import t

MAX_NAME = 60  # characters of a collection


def share_tool(entry: Entry, shared: Mapping[str, Shared], is_sharing: bool) -> str:
    """At a chosen document of one's own: in which collection it is, or room to name one."""
    if is_sharing:
        return (
            f'<input class="ll-input" data-act="share-in" data-arg="{escape(entry.id)}" list="ll-collections" '
            f'maxlength="{MAX_NAME}" aria-label="{t("Share with everybody here, in the collection")}" '
            f'placeholder="{t("Name of a collection; everybody here sees it")}" autofocus>'
        )
    mine = shared.get(entry.id)
    if mine is None:
        return button(
            t("Share"), "share", entry.id, css="ll-link",
            aria=t("Share {document} with everybody here", document=entry.name),
        )  # fmt: skip
    stop = button(
        t("Stop sharing"), "withdraw", mine.id, css="ll-link",
        aria=t("Stop sharing {document}", document=entry.name),
    )  # fmt: skip
    return f'<span class="ll-tag">{t("shared in {collection}", collection=escape(mine.collection))}</span>{stop}'


def shared_list(items: Sequence[Shared], there: Collection[str]) -> str:
    """What others share, by collection. `there`: ids of documents that are in one's own library already."""
    if not items:
        return ""
    groups = "".join(
        f'<h3 class="ll-collection">{escape(collection)}</h3>'
        f'<ul class="ll-docs">{"".join(_row(one, there) for one in group)}</ul>'
        for collection, group in groupby(items, key=lambda one: one.collection)
    )
    return (
        f'<details class="ll-history" data-keep="shared"><summary class="ll-label">{t("Shared here")} '
        f'<span class="ll-tag">{documents(len(items))}</span></summary>{groups}</details>'
    )


def _row(shared: Shared, there: Collection[str]) -> str:
    take = (
        f'<span class="ll-meta">{t("in your library")}</span>'
        if shared.document in there
        else button(
            t("Add"),
            "take",
            shared.id,
            css="ll-link",
            aria=t("Add a copy of {document} to your library", document=shared.name),
        )
    )
    return (
        '<li class="ll-talk"><div class="ll-progress">'
        f'<span class="ll-shared-name">{name(shared.name)}</span>{take}</div>'
        f'<p class="ll-meta">{t("by {person}, {day}", person=escape(shared.by), day=escape(shared.at[:10]))}</p></li>'
    )
