/* The server behind the page: when it was stopped, killed or begun anew, the page says so and comes back by itself.
   The address names what is shown, and what was being written is kept, so nothing is lost by the reload. */
(() => {
  "use strict";
  const LOOK_EVERY_MS = 4000, SLEPT_MS = 20 * 60 * 1000;
  let run = null; // which run of the server made this page
  let isGone = false;
  let lookedAt = Date.now();
  async function lookForServer() {
    const slept = Date.now() - lookedAt > SLEPT_MS;
    lookedAt = Date.now();
    if (slept && run !== null) return keepQuestion(), location.reload(); // the server has forgotten what this page showed
    let answered = null;
    try {
      const response = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(LOOK_EVERY_MS) });
      if (response.ok) answered = response.headers.get("longleaf-run");
    } catch { /* it does not answer */ }
    if (answered === null) return document.hidden || sayGone();
    if (run === null) run = answered;
    if (run === answered && !isGone) return;
    keepQuestion();
    location.reload();
  }

  function sayGone() {
    if (isGone) return;
    isGone = true;
    const said = Object.assign(document.createElement("p"), { className: "ll-gone", role: "alert", textContent: window.longleafSay("gone") });
    (document.querySelector(".gradio-container") ?? document.body).prepend(said);
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
