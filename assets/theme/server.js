/* The server behind the page: when it was stopped, killed or begun anew, the page says so and comes back by itself.
   The address names what is shown, and what was being written is kept, so nothing is lost by the reload. */
(() => {
  "use strict";
  const LOOK_EVERY_MS = 4000, PATIENCE_MS = 30_000; // a busy machine may take long to answer, and is not gone
  const GONE_AFTER = 2, LOST_MS = 60_000, SLEPT_MS = 20 * 60_000;
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
      keepQuestion();
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

  /* What a person was writing is there again after the reload. */
  function keepQuestion() {
    try { sessionStorage.setItem("longleaf-question", document.querySelector("#ll-question textarea")?.value ?? ""); } catch { /* private window */ }
  }

  function restoreQuestion() {
    let written = null;
    try {
      written = sessionStorage.getItem("longleaf-question");
      sessionStorage.removeItem("longleaf-question");
    } catch { /* private window */ }
    if (!written) return;
    const waiting = setInterval(() => {
      const field = document.querySelector("#ll-question textarea");
      if (!field) return;
      clearInterval(waiting);
      field.value = written;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }, 200);
  }
  setInterval(lookForServer, LOOK_EVERY_MS);
  lookForServer();
  restoreQuestion();
})();
