/* Previews: the boxed place of a citation, where it is pointed at or focused. What it shows stands in the citation's
   own attributes (app/web/render/previews.py); only the page's picture is fetched, the one that the viewer shows. */
(() => {
  "use strict";
  const PEEK_AFTER_MS = 220, PEEK_WIDTH = 440, PEEK_HEIGHT = 230, PEEK_MARGIN = 3; // the last in % of the page
  let peeked = null; // the element whose citation is shown
  let peeking = null;

  function citationOf(element) {
    const target = element.closest?.("[data-act=cite]");
    return target && [target, target.closest(".ll-answer")?.querySelector(`.ll-citation[data-arg="${target.dataset.arg}"]`)];
  }

  function peekSoon(event) {
    const [target, citation] = citationOf(event.target) ?? [];
    clearTimeout(peeking);
    if (!target) return event.type === "pointerover" && unpeek();
    if (target === peeked || !citation?.dataset.peek || event.pointerType === "touch") return;
    peeking = setTimeout(() => peek(target, citation), event.type === "focusin" ? 0 : PEEK_AFTER_MS);
  }

  function peek(target, citation) {
    unpeek();
    if (!target.isConnected || (target !== document.activeElement && !target.matches(":hover"))) return;
    const card = Object.assign(document.createElement("div"), { id: "ll-peek", role: "tooltip" });
    card.append(Object.assign(document.createElement("p"), { className: "ll-place", textContent: citation.dataset.peek }));
    card.append(citation.dataset.peekSrc ? pictured(citation.dataset) : written(citation.dataset));
    (target.closest("main") ?? document.body).append(card);
    target.setAttribute("aria-describedby", card.id);
    peeked = target;
    const at = target.getBoundingClientRect(), size = card.getBoundingClientRect();
    const below = at.bottom + 8 + size.height < innerHeight;
    card.style.top = `${Math.max(8, below ? at.bottom + 8 : at.top - 8 - size.height)}px`;
    card.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8))}px`;
  }

  /* The part of the page around the boxes, wide enough to be read. */
  function pictured({ peekSrc, peekBoxes, peekRatio }) {
    const boxes = JSON.parse(peekBoxes); // left, top, width, height in % of the page
    const left = Math.min(...boxes.map((box) => box[0])) - PEEK_MARGIN, right = Math.max(...boxes.map((box) => box[0] + box[2])) + PEEK_MARGIN;
    const wide = Math.min(100, Math.max(60, right - left)), from = Math.max(0, Math.min(100 - wide, (left + right - wide) / 2));
    const width = Math.min(PEEK_WIDTH, innerWidth - 16), pageWidth = (width * 100) / wide, pageHeight = pageWidth * Number(peekRatio);
    const top = boxes[0][1], end = Math.max(...boxes.map((box) => box[1] + box[3]));
    const height = Math.min(PEEK_HEIGHT, Math.max(90, ((end - top) / 100) * pageHeight + 56), pageHeight);
    const frame = Object.assign(document.createElement("div"), { className: "ll-peek-page" });
    frame.style.cssText = `width:${width}px;height:${height}px`;
    const page = Object.assign(document.createElement("div"), { className: "ll-peek-sheet" });
    const above = Math.max(0, Math.min(pageHeight - height, (top / 100) * pageHeight - 28));
    page.style.cssText = `width:${pageWidth}px;height:${pageHeight}px;left:${(-from / 100) * pageWidth}px;top:${-above}px`;
    page.append(Object.assign(document.createElement("img"), { src: peekSrc, alt: "" }));
    for (const [x, y, w, h] of boxes) {
      const box = Object.assign(document.createElement("i"), { className: "ll-box ll-box-chosen" });
      box.style.cssText = `left:${x}%;top:${y}%;width:${w}%;height:${h}%`;
      page.append(box);
    }
    frame.append(page);
    return frame;
  }

  function written({ peekLines }) {
    const { first, marked, lines, gap } = JSON.parse(peekLines); // `gap` stands between the cells of a table's row
    const list = Object.assign(document.createElement("ol"), { className: "ll-source", start: first });
    list.style.setProperty("--ll-digits", String(first + lines.length).length);
    lines.forEach((line, index) => {
      const number = first + index;
      const css = marked[0] <= number && number <= marked[1] ? "ll-line ll-line-chosen" : "";
      const item = Object.assign(document.createElement("li"), { value: number, className: css });
      (gap ? line.split(gap) : [line || " "]).forEach((cell, at) => item.append(...(at ? [between(gap), cell] : [cell])));
      list.append(item);
    });
    return list;
  }

  function between(gap) {
    return Object.assign(document.createElement("span"), { className: "ll-gap", textContent: gap });
  }

  function unpeek() {
    clearTimeout(peeking);
    document.querySelector("#ll-peek")?.remove();
    peeked?.removeAttribute("aria-describedby");
    peeked = null;
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !peeked) return;
    event.stopImmediatePropagation(); // it takes the preview away, and stops nothing else
    unpeek();
  }, true);
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, peekSoon);
  for (const kind of ["focusout", "click"]) document.addEventListener(kind, unpeek);
  document.addEventListener("scroll", unpeek, true);
})();
