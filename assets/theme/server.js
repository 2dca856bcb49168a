/* The server behind the page: when it was stopped, killed or begun anew, the page says so and comes back by itself.
   The address names what is shown, and what was being written is kept, so nothing is lost by a reload, whoever asks for
   it: a person, this script, or Gradio, which reloads when a connection of its own was lost. */
(() => {
  "use strict";
  const LOOK_EVERY_MS = 4000, PATIENCE_MS = 30_000; // a busy machine may take long to answer, and is not gone
  const GONE_AFTER = 2, LOST_MS = 60_000, SLEPT_MS = 20 * 60_000, SETTLED_MS = 20_000;
  const KEPT = "longleaf-question";
  let run = null; // which run of the server made this page
  let failures = 0, goneSince = null, lookedAt = Date.now(), isLooking = false;

  async function lookForServer() {
    if (isLooking) return;
    isLooking = true;
    const slept = Date.now() - lookedAt > SLEPT_MS;
    let answered = null;
    try {
      const response = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
      if (response.ok) answered = response.headers.get("longleaf-run") ?? "";
    } catch { /* it does not answer */ }
    lookedAt = Date.now();
    isLooking = false;
    if (answered === null) return ++failures >= GONE_AFTER && sayGone();
    failures = 0;
    run ??= answered;
    // Begun anew, or away for so long that it has forgotten what this page showed.
    if (run !== answered || slept || (goneSince !== null && Date.now() - goneSince > LOST_MS)) {
      location.reload();
    } else sayThere();
  }

  function sayGone() {
    if (goneSince !== null) return;
    goneSince = Date.now();
    const said = Object.assign(document.createElement("p"), { className: "ll-gone", role: "alert", textContent: window.longleafSay("gone") });
    (document.querySelector(".gradio-container") ?? document.body).prepend(said);
  }

  function sayThere() {
    goneSince = null;
    document.querySelector(".ll-gone")?.remove();
  }

  /* What a person was writing is there again after a reload; not after signing out, where another may come in. */
  let lost = ""; // what has not come back into its field yet
  function keepQuestion() {
    try { sessionStorage.setItem(KEPT, document.querySelector("#ll-question textarea")?.value || lost); } catch { /* private window */ }
  }

  function restoreQuestion() {
    try {
      if (performance.getEntriesByType("navigation")[0]?.type === "reload") lost = sessionStorage.getItem(KEPT) ?? "";
      sessionStorage.removeItem(KEPT);
    } catch { /* private window */ }
    if (!lost) return;
    const waiting = setInterval(() => {
      const field = document.querySelector("#ll-question textarea");
      if (!field || field.value) return; // it may be emptied once more while the page is set up
      field.value = lost;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, 200);
    const stop = () => (clearInterval(waiting), (lost = ""));
    for (const act of ["keydown", "pointerdown"]) addEventListener(act, stop, { once: true, capture: true });
    setTimeout(stop, SETTLED_MS);
  }

  /* When a page is being left, Gradio closes its streams while the page is still seen, calls the server lost, and may
     reload before the person has got where they go. The browser closes them by itself a moment later; what is said of
     that is not shown. */
  const { abort } = AbortController.prototype;
  AbortController.prototype.abort = function (...reason) {
    if (window.event?.type !== "beforeunload") abort.apply(this, reason);
  };
  addEventListener("beforeunload", () => {
    document.body.classList.add("ll-leaving");
    setTimeout(() => document.body.classList.remove("ll-leaving"), SETTLED_MS); // it was not left after all
  });
  addEventListener("pagehide", keepQuestion);
  setInterval(lookForServer, LOOK_EVERY_MS);
  lookForServer();
  restoreQuestion();
})();
