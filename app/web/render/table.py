"""Fragments of the table panel: a line for each document, a column for each question, a cell for each answer."""

from app.batch.rows import Row
from app.web.render.answer import how_far
from app.web.render.basics import bar, button, escape, name
from app.web.tabling import Table
from app.web.texts import number, t, tn

CELL_SHOWN = 140  # characters
FORMS = (("xlsx", "Excel"), ("csv", "CSV"), ("jsonl", "JSONL"))


def table(table_id: str, shown: Table) -> str:
    """The argument of a click is the row's position."""
    head = "".join(f'<th scope="col">{escape(title)}</th>' for _, title in shown.columns)
    at = {(row["document"], row["question_id"]): index for index, row in enumerate(shown.rows)}
    lines = "".join(
        f'<tr><th scope="row">{name(called)}</th>'
        + "".join(_cell(shown, at.get((document, column))) for column, _ in shown.columns)
        + "</tr>"
        for document, called in shown.documents
    )
    return (
        f'{_state(shown)}{_files(table_id) if shown.rows else ""}<div class="ll-table-scroll" tabindex="0" '
        f'aria-label="{t("Answers")}"><table class="ll-table"><thead><tr><th scope="col">{t("Document")}</th>{head}'
        f"</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _state(shown: Table) -> str:
    done, total = len(shown.rows), shown.total
    error = f'<p class="ll-error" role="alert">{escape(t(shown.error))}</p>' if shown.error else ""
    if shown.over:
        failed = sum(row["status"] == "failed" for row in shown.rows)
        facts = tn("{n} answer of {total}", "{n} answers of {total}", done, total=number(total))
        facts += ", " + t("{n} failed", n=number(failed)) if failed else ""
        return f'{error}<p class="ll-meta" role="status">{facts}.</p>'
    facts = tn("{done} of {n} answer", "{done} of {n} answers", total, done=number(done))
    doing = escape(_doing(shown))
    return f'<p class="ll-meta" role="status">{facts} · {doing}</p>{bar(done, total, t("Progress of the table"))}'


def _doing(shown: Table) -> str:
    if shown.stopping:
        return t("Stopping after the answer that is being written")
    if shown.reading is None:
        return t(shown.doing)
    called, step = shown.reading
    verb = t("Indexing") if step.stage == "index" else t("Reading")
    return f"{verb} {called}: {how_far(step.done, step.total, step.unit)}"


def _files(table_id: str) -> str:
    def links(query: str) -> str:
        place = f"/table/{escape(table_id)}"
        return " ".join(
            f'<a class="ll-link" href="{place}.{ending}{query}" download>{label}</a>' for ending, label in FORMS
        )

    title = f'title="{t("Without e-mail addresses, phone, card and account numbers")}"'
    return (
        f'<p class="ll-talk-tools"><span class="ll-meta">{t("Download")}</span>{links("")}'
        f'<span class="ll-meta" {title}>{t("Masked")}</span>{links("?mask=1")}</p>'
    )


def _cell(shown: Table, index: int | None) -> str:
    if index is None:
        return f'<td class="ll-cell-open">{"" if shown.over else "…"}</td>'
    row = shown.rows[index]
    if row["status"] == "failed":
        return f'<td class="ll-error">{escape(row["error"])}</td>'
    text = _text(row)
    label = escape(text if len(text) <= CELL_SHOWN else text[: CELL_SHOWN - 1] + "…")
    doubt = f'<span class="ll-meta">{escape(row["error"])}</span>' if row["error"] else ""
    if not row["citations"]:
        return f'<td class="ll-quiet">{label}{doubt}</td>'
    aria = t("Show the evidence of: {text}", text=text)
    return f"<td>{button(label, 'cell', index, css='ll-cell', aria=aria)}{doubt}</td>"


def _text(row: Row) -> str:
    if not row["found"]:
        return t("not found")
    if row.get("value") is None:
        return " ".join(str(row["answer"]).split())
    value = row["value"]
    if isinstance(value, bool):
        return t("yes") if value else t("no")
    return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
