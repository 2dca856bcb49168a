/* What a visitor of a public demo has asked, kept in the visitor's own browser: the server deletes it with the visit.
   The page names the conversations of this visit as they are now (app/web/render/history.py); those of earlier visits
   are listed below them, to be read, saved or forgotten. All of it is drawn as text. */
(() => {
  "use strict";
  const KEY = "longleaf-kept", MOST_VISITS = 20;

  function stored() {
    try { return JSON.parse(localStorage.getItem(KEY)) ?? []; } catch { return []; }
  }

  function store(visits) {
    try { localStorage.setItem(KEY, JSON.stringify(visits.slice(-MOST_VISITS))); } catch { /* private window, or full */ }
  }

  window.longleafKept = (element) => {
    const place = element.querySelector?.("[data-visit]");
    if (!place) return;
    const { visit, talks } = place.dataset;
    const earlier = stored().filter((each) => each.visit !== visit);
    const now = { visit, talks: JSON.parse(talks) };
    store(now.talks.length ? [...earlier, now] : earlier);
    place.replaceChildren(...(earlier.length ? [drawn(earlier, () => window.longleafKept(element))] : []));
  };

  function made(tag, className, ...inside) {
    const element = document.createElement(tag);
    element.className = className;
    element.append(...inside);
    return element;
  }

  function drawn(visits, again) {
    const say = window.longleafSay;
    const box = made("details", "ll-history", made("summary", "ll-label", say("kept")), made("p", "ll-meta", say("keptSaid")));
    const list = made("ul", "ll-docs");
    for (const { visit, talks } of visits.toReversed()) for (const talk of talks) list.append(row(visit, talk, again));
    box.dataset.keep = "kept";
    box.append(list);
    return box;
  }

  function row(visit, talk, again) {
    const text = made("details", "", made("summary", "ll-doc-name", talk.title), made("pre", "ll-kept-text", talk.text));
    text.dataset.keep = `kept ${talk.id}`;
    const tools = made("p", "ll-talk-tools", tool("keptSave", () => save(talk)), tool("keptForget", () => {
      store(stored().map((each) => each.visit !== visit ? each : { visit, talks: each.talks.filter(({ id }) => id !== talk.id) })
        .filter((each) => each.talks.length));
      again();
    }));
    return made("li", "ll-talk", made("div", "ll-doc-body", text, made("p", "ll-meta", talk.at.slice(0, 10)), tools));
  }

  function tool(what, act) {
    const button = made("button", "ll-link", window.longleafSay(what));
    button.type = "button";
    button.onclick = act;
    return button;
  }

  function save({ title, text }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
    link.download = `${title.replace(/[^\p{L}\p{N} ]+/gu, "").trim().slice(0, 60) || "Longleaf"}.md`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
})();
