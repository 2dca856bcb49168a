// Draws the board, and asks the server again every REFRESH_MS milliseconds.
import { PIERS } from "./piers.generated.js";

const REFRESH_MS = 30_000;

export function statusClass(status) {
  if (status === "cancelled") return "cancelled";
  return status.endsWith("late") ? "late" : "";
}

function drawRow(crossing) {
  const row = document.createElement("tr");
  row.className = statusClass(crossing.status);
  const time = crossing.departs.slice(11, 16);
  const pier = PIERS[crossing.pier] ?? crossing.pier;
  for (const text of [time, pier, crossing.vessel, crossing.status]) {
    row.insertCell().textContent = text;
  }
  return row;
}

async function refresh() {
  const response = await fetch("/api/next");
  const crossings = await response.json();
  document.querySelector("#board").replaceChildren(...crossings.map(drawRow));
}

refresh();
setInterval(refresh, REFRESH_MS);
