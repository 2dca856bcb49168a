/* What the page does in the browser: clicks become panel events, files are sent, the page is zoomed, keys work.
   Nothing here knows documents; nothing is loaded from or sent to another machine. */
(() => {
  "use strict";
  const PHONE = matchMedia("(max-width: 820px)");
  const MODES = ["ask", "table", "compare"];
  const AT_ONCE = 6; // files sent at the same time
  const ZOOMS = [0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];
  const SHARP_FROM = 1.5; // from this zoom on, the page image is asked for in a higher resolution

  // --- Words: made by Python, in the language of this page (app/web/theme.py) -----------------------------------------
  const texts = window.longleafTexts ?? {};
  const say = window.longleafSay = (key, values = {}) => (texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  if (texts.language) document.documentElement.lang = texts.language;

  // --- Panels: elements with data-act tell Python ------------------------------------------------------------------
  const panels = (window.longleafPanels ||= []);
  function wirePanels() {
    for (const [element, trigger, watch] of panels.splice(0)) {
      element.addEventListener("click", (event) => {
        const target = event.target.closest("[data-act]");
        if (!target || target.disabled || target.matches("input, select")) return;
        trigger("select", { act: target.dataset.act, arg: target.dataset.arg ?? "" });
        if (target.dataset.act === "edit") writeOn(element.querySelector(".ll-asked")?.textContent ?? "");
        if (["cite", "hit", "open", "cell"].includes(target.dataset.act)) revealSheet();
      });
      element.addEventListener("change", (event) => {
        const target = event.target.closest("[data-act]");
        if (!target) return;
        trigger("select", { act: target.dataset.act, arg: target.dataset.arg ?? "", checked: target.checked ?? false, value: target.value ?? "",
          // All that are ticked: clicks that follow one another quickly must not undo each other.
          ticked: [...element.querySelectorAll("input[type=checkbox][data-act]:checked")].map((box) => box.dataset.arg) });
      });
      watch("value", () => afterRender(element));
      if (element.querySelector("[data-drop]")) wireDrop(element.querySelector("[data-drop]"), trigger);
      afterRender(element);
    }
  }
  window.longleafWire = wirePanels;

  /* The question comes back into its field; the person goes on writing at its end. */
  function writeOn(question) {
    const field = document.querySelector("#ll-question textarea");
    let looks = 0;
    const waiting = setInterval(() => {
      if (field.value !== question && ++looks < 60) return;
      clearInterval(waiting);
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
      field.scrollIntoView({ block: "nearest" });
    }, 50);
  }

  /* Gradio patches attributes; what a person changed since lives in properties and is set here. */
  function afterRender(element) {
    for (const box of element.querySelectorAll("input[type=checkbox][data-act]")) box.checked = box.hasAttribute("checked");
    for (const menu of element.querySelectorAll("select[data-act]")) {
      const chosen = menu.querySelector("option[selected]");
      if (chosen) menu.value = chosen.value;
    }
    element.querySelector("input[autofocus]")?.focus();
    window.longleafKept?.(element);
    keepOpen(element);
    nameAddress(element);
    const stage = element.querySelector(".ll-stage");
    if (stage) {
      sharpen(stage);
      showEvidence(stage);
    }
    markShown();
    tellWhatIsDone(element);
  }

  /* The address names the question or the answer that is shown, or a place in a file, and beside it the reading that
     this page began: so a reload, or another device, finds it all again. */
  function nameAddress(element) {
    const answer = element.id === "ll-answer" ? element : element.closest?.("#ll-answer");
    if (answer?.querySelector(".ll-answer")) name("answer", answer.querySelector("[data-address]")?.dataset.address);
    if (element.querySelector("[data-jobs]")) name("job", element.querySelector("[data-jobs]").dataset.jobs);
  }

  const NAMED = { answer: ["run", "answer", "file", "page", "lines"], job: ["job"] };
  const lastNamed = {};
  function name(what, address = "") {
    if (lastNamed[what] === address) return; // so that a panel that is drawn again does not take back what another named
    lastNamed[what] = address;
    const query = new URLSearchParams(location.search);
    for (const key of NAMED[what]) query.delete(key);
    for (const [key, value] of new URLSearchParams(address)) query.set(key, value);
    const wanted = query.size ? "?" + query : location.pathname;
    if (wanted !== location.search) history.replaceState(null, "", wanted);
  }

  /* What a person opened stays open when the panel is drawn again. */
  const opened = new Set();
  function keepOpen(element) {
    for (const details of element.querySelectorAll("details[data-keep]")) {
      details.open = opened.has(details.dataset.keep);
      details.ontoggle = () => (details.open ? opened.add(details.dataset.keep) : opened.delete(details.dataset.keep), centreThumb(details));
      centreThumb(details);
    }
    showLayers(element);
  }

  /* Over the page lies the heat, or the patches, or neither; it stays so from page to page. */
  function showLayers(element) {
    for (const toggle of element.querySelectorAll("[data-toggle=heat], [data-toggle=patches]"))
      toggle.setAttribute("aria-pressed", document.body.classList.contains("ll-show-" + toggle.dataset.toggle));
  }

  function toggleLayer(layer) {
    const on = !document.body.classList.contains("ll-show-" + layer);
    for (const each of ["heat", "patches"]) document.body.classList.toggle("ll-show-" + each, on && each === layer);
    showLayers(document);
  }

  // --- Notices: what was finished while nobody looked ----------------------------------------------------------------
  const TITLE = "Longleaf";
  const underWay = new Map(); // what is being read or answered -> what to say when it is done

  function tellWhatIsDone(element) {
    const done = [];
    for (const item of element.querySelectorAll("[data-under-way]")) underWay.set(item.dataset.key, item.dataset.underWay);
    for (const item of element.querySelectorAll("[data-done]"))
      if (underWay.delete(item.dataset.key)) done.push(item.dataset.done);
    for (const button of element.querySelectorAll("[data-toggle=notify]"))
      button.hidden = !("Notification" in window) || Notification.permission !== "default";
    if (!done.length || !document.hidden) return;
    const said = done.length === 1 ? done[0] : say("severalRead", { n: done.length });
    document.title = "\u2713 " + said;
    if ("Notification" in window && Notification.permission === "granted")
      try {
        const notice = new Notification("Longleaf", { body: said, tag: "longleaf" });
        notice.onclick = () => (window.focus(), notice.close());
      } catch { /* phones want a service worker for this; the title says it all the same */ }
  }
  document.addEventListener("visibilitychange", () => document.hidden || (document.title = TITLE));

  function centreThumb(details) {
    const strip = details.querySelector(".ll-thumb-strip"), thumb = details.querySelector(".ll-thumb-shown");
    if (details.open && strip && thumb) strip.scrollLeft = thumb.offsetLeft - strip.clientWidth / 2 + thumb.clientWidth / 2;
  }

  // --- Viewer --------------------------------------------------------------------------------------------------------
  let zoom = 1;
  let wantsReveal = false;

  function revealSheet() {
    wantsReveal = PHONE.matches;
    setTimeout(() => (wantsReveal = false), 3000);
    // The same page again is not rendered again: go there now.
    if (wantsReveal) setTimeout(() => document.querySelector("#ll-sheet")?.scrollIntoView({ behavior: "smooth", block: "start" }), 250);
  }

  function showEvidence(stage) {
    const sheet = stage.querySelector(".ll-sheet, .ll-source");
    const key = stage.parentElement.querySelector(".ll-sheet-head")?.dataset.key ?? "";
    if (!sheet || stage.dataset.shownKey === key) return;
    stage.dataset.shownKey = key;
    const target = stage.querySelector(".ll-box-chosen, .ll-line-chosen") ?? stage.querySelector(".ll-box, .ll-line");
    const top = target ? target.getBoundingClientRect().top - stage.getBoundingClientRect().top + stage.scrollTop : 0;
    stage.scrollTop = target ? Math.max(0, top - stage.clientHeight / 3) : 0;
  }

  /* Which citation the viewer is at: shown on the citations under the answer. */
  function markShown() {
    const at = document.querySelector("#ll-sheet .ll-sheet-head")?.dataset.at ?? "";
    for (const cite of document.querySelectorAll("#ll-answer [data-act=cite]"))
      cite.setAttribute("aria-pressed", cite.dataset.arg === at ? "true" : "false");
  }

  /* Lines of a file that a link leads to: one, or with Shift all from the marked one on. The address names them. */
  function markLines(link, toThere) {
    const lines = [...link.closest("ol").querySelectorAll("li")];
    const before = lines.findIndex((line) => line.classList.contains("ll-line-linked"));
    const at = lines.indexOf(link.closest("li"));
    const [first, last] = toThere && before >= 0 ? [Math.min(before, at), Math.max(before, at)] : [at, at];
    lines.forEach((line, index) => line.classList.toggle("ll-line-linked", first <= index && index <= last));
    const named = new URLSearchParams(link.getAttribute("href"));
    named.set("lines", first === last ? lines[at].value : `${lines[first].value}-${lines[last].value}`);
    delete lastNamed.answer;
    name("answer", named.toString());
    for (const button of document.querySelectorAll("#ll-sheet [data-copy-link]")) {
      button.dataset.copyLink = "?" + named;
      button.textContent = say("copyLines");
    }
  }

  function setZoom(step) {
    const at = ZOOMS.reduce((best, value, index) => (Math.abs(value - zoom) < Math.abs(ZOOMS[best] - zoom) ? index : best), 2);
    zoom = step === 0 ? 1 : ZOOMS[Math.max(0, Math.min(ZOOMS.length - 1, at + step))];
    document.documentElement.style.setProperty("--ll-zoom", zoom);
    for (const stage of document.querySelectorAll(".ll-stage")) sharpen(stage);
  }

  function sharpen(stage) {
    const image = stage.querySelector("img[data-src]");
    if (!image) return;
    const dense = (window.devicePixelRatio || 1) >= 1.5 || zoom >= SHARP_FROM;
    const resolution = dense ? "?dpi=200" : "";
    const wanted = image.dataset.src + resolution;
    if (image.getAttribute("src") !== wanted) image.setAttribute("src", wanted);
    const askSoon = () => (stage.dataset.soon ?? "").split(" ").filter(Boolean).forEach((page) => prepared(page + resolution));
    if (image.complete) askSoon();
    else image.addEventListener("load", askSoon, { once: true });
  }

  /* Making a page image takes longer than sending it: the one that comes next is made while this one is looked at. */
  const asked = new Set();
  function prepared(page) {
    if (!asked.has(page)) fetch(page).catch(() => asked.delete(page));
    asked.add(page);
  }

  // --- Sending files ---------------------------------------------------------------------------------------------------
  function wireDrop(zone, trigger) {
    sendPasted = (files) => send(zone, trigger, files);
    const inputs = zone.querySelectorAll("input[type=file]");
    zone.addEventListener("click", (event) => {
      const pick = event.target.closest("[data-pick]");
      if (pick) zone.querySelector(`[data-files=${pick.dataset.pick}]`).click();
    });
    for (const input of inputs)
      input.addEventListener("change", (event) => {
        event.stopPropagation();
        const files = [...input.files].map((file) => [file.webkitRelativePath || file.name, file]);
        input.value = "";
        send(zone, trigger, files);
      });
    const over = (on) => (event) => {
      event.preventDefault();
      zone.classList.toggle("ll-over", on);
    };
    zone.addEventListener("dragover", over(true));
    zone.addEventListener("dragleave", over(false));
    zone.addEventListener("drop", async (event) => {
      over(false)(event);
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
      const files = entries.length ? (await Promise.all(entries.map((entry) => walk(entry, "")))).flat()
                                   : [...event.dataTransfer.files].map((file) => [file.name, file]);
      send(zone, trigger, files);
    });
  }

  /* Files and pictures that are pasted anywhere are added; text only where no field takes it. */
  let sendPasted = null;
  document.addEventListener("paste", (event) => {
    if (!sendPasted) return;
    const files = [...(event.clipboardData?.files ?? [])].map((file) => [pastedName(file), file]);
    const text = event.target.closest?.("input, textarea, [contenteditable]") ? "" : event.clipboardData?.getData("text/plain") ?? "";
    if (!files.length && text.trim()) files.push([`pasted ${now()}.txt`, new File([text], "pasted.txt", { type: "text/plain" })]);
    if (!files.length) return;
    event.preventDefault();
    sendPasted(files);
  });

  /* Browsers call every pasted picture image.png. */
  function pastedName(file) {
    return /^image\.\w+$/.test(file.name) ? `pasted ${now()}.${file.name.split(".")[1]}` : file.name;
  }

  function now() {
    return new Date().toISOString().slice(0, 19).replaceAll(":", "-").replace("T", " ");
  }

  async function walk(entry, above) {
    const path = above + entry.name;
    if (entry.isFile) return [[path, await new Promise((found, failed) => entry.file(found, failed))]];
    const reader = entry.createReader();
    const found = [];
    for (;;) {
      const some = await new Promise((got, failed) => reader.readEntries(got, failed));
      if (!some.length) return found;
      for (const inner of some) found.push(...(await walk(inner, path + "/")));
    }
  }

  /* What is over a limit is not sent at all: the server would cut the connection, and no browser says why. */
  function tooLarge(zone, files) {
    const { maxFile, maxAll, maxFileSaid, maxAllSaid } = zone.dataset;
    const large = files.find(([, file]) => file.size > Number(maxFile));
    if (large) return say("fileTooLarge", { file: large[0], size: maxFileSaid });
    return files.reduce((sum, [, file]) => sum + file.size, 0) > Number(maxAll) ? say("allTooLarge", { size: maxAllSaid }) : null;
  }

  async function send(zone, trigger, files) {
    const refused = files.length ? tooLarge(zone, files) : say("nothing");
    if (refused) return trigger("select", { act: "refused", arg: refused });
    if (zone.classList.contains("ll-busy")) return;
    const stop = new AbortController();
    const total = files.reduce((sum, [, file]) => sum + file.size, 0) || 1;
    const sent = new Map();
    const status = zone.querySelector(".ll-sending");
    const show = () => {
      const done = [...sent.values()].reduce((sum, value) => sum + value, 0);
      status.querySelector("[data-sending]").textContent = say("sending", {
        what: files.length === 1 ? files[0][0] : say("files", { n: files.length }), percent: Math.floor((100 * done) / total) });
      status.querySelector("i").style.width = `${(100 * done) / total}%`;
    };
    zone.classList.add("ll-busy");
    status.hidden = false;
    zone.querySelector("[data-stop-sending]").onclick = () => stop.abort();
    let batch = null;
    try {
      batch = (await (await checked(fetch("/uploads", { method: "POST", signal: stop.signal }))).json()).batch;
      const queue = [...files];
      const lane = async () => {
        for (let next; (next = queue.shift()); ) await put(batch, next, (bytes) => { sent.set(next[0], bytes); show(); }, stop.signal);
      };
      show();
      await Promise.all(Array.from({ length: AT_ONCE }, lane));
      trigger("select", { act: "upload", arg: batch });
    } catch (error) {
      stop.abort();
      if (batch) fetch(`/uploads/${batch}`, { method: "DELETE" }).catch(() => {});
      if (error.name !== "AbortError") trigger("select", { act: "refused", arg: error.message });
    } finally {
      zone.classList.remove("ll-busy");
      status.hidden = true;
    }
  }

  async function checked(request) {
    const response = await request;
    if (response.ok) return response;
    throw new Error(sentenceOf(await response.text(), response.status));
  }

  function sentenceOf(body, status) {
    try { return JSON.parse(body).detail; } catch { return body.slice(0, 300) || say("uploadFailed", { status }); }
  }

  function put(batch, [path, file], onBytes, signal) {
    return new Promise((done, failed) => {
      const request = new XMLHttpRequest();
      request.open("PUT", `/uploads/${batch}?path=${encodeURIComponent(path)}`);
      request.upload.onprogress = (event) => onBytes(event.loaded);
      request.onload = () => (request.status < 300 ? (onBytes(file.size), done()) : failed(new Error(sentenceOf(request.responseText, request.status))));
      request.onerror = () => failed(new Error(say("noAnswer", { file: path })));
      request.onabort = () => failed(new DOMException("stopped", "AbortError"));
      signal.addEventListener("abort", () => request.abort());
      if (signal.aborted) return request.onabort();
      request.send(file);
    });
  }

  // --- Keys, light and dark, the phone's drawer --------------------------------------------------------------------------
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("#ll-stop")?.click();
  });
  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-toggle]")?.dataset.toggle;
    if (toggle === "library") document.body.classList.toggle("ll-library-open");
    if (toggle === "answer") document.querySelector("#ll-answer")?.scrollIntoView({ behavior: "smooth", block: "start" });
    if (MODES.includes(toggle)) {
      for (const mode of MODES) document.body.classList.toggle(`ll-${mode}-mode`, toggle === mode);
      for (const mode of document.querySelectorAll(".ll-mode")) mode.setAttribute("aria-pressed", mode.dataset.toggle === toggle);
    }
    if (toggle === "heat" || toggle === "patches") toggleLayer(toggle);
    if (toggle === "notify") Notification.requestPermission().then(() => tellWhatIsDone(document));
    const copy = event.target.closest("[data-copy], [data-copy-link]");
    if (copy) copyText(copy);
    const line = event.target.closest("a.ll-no");
    if (line && !event.ctrlKey && !event.metaKey) event.preventDefault(), markLines(line, event.shiftKey);
    const language = event.target.closest("[data-language]")?.dataset.language;
    if (language) {
      document.cookie = `longleaf_language=${language}; path=/; max-age=31536000; samesite=lax`;
      location.reload();
    }
    if (toggle === "dark") {
      const dark = document.body.classList.toggle("dark");
      try { localStorage.setItem("longleaf-dark", dark ? "1" : "0"); } catch { /* private window */ }
    }
    const step = event.target.closest("[data-zoom]")?.dataset.zoom;
    if (step !== undefined) setZoom(Number(step));
  });
  async function copyText(button) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy ?? new URL(button.dataset.copyLink, location.href).href);
      button.textContent = say("copied");
    } catch {
      button.textContent = say("copyBarred");
    }
    setTimeout(() => (button.textContent = label), 1600);
  }
  // Enter in a field of a list (a name, tags, a note) is done with it.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input[data-act]")) event.target.blur();
  });

  /* The words over a page image are pieces of a drawing: what is copied of them gets its lines back. */
  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    if (!selection.rangeCount || !selection.anchorNode?.parentElement?.closest(".ll-words")) return;
    const lines = selection.getRangeAt(0).cloneContents().querySelectorAll("text");
    if (lines.length < 2) return;
    event.clipboardData.setData("text/plain", [...lines].map((line) => line.textContent).join("\n"));
    event.preventDefault();
  });

  // A file dropped beside the zone must not replace the page.
  for (const kind of ["dragover", "drop"]) document.addEventListener(kind, (event) => event.preventDefault());

  function restoreDark() {
    let stored = null;
    try { stored = localStorage.getItem("longleaf-dark"); } catch { /* private window */ }
    if (stored !== null && !new URLSearchParams(location.search).has("__theme")) document.body.classList.toggle("dark", stored === "1");
  }
  restoreDark();
  wirePanels();
})();
