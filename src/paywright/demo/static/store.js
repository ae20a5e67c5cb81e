// The store works without this file. It keeps the balance fresh and spends without leaving the page.

const POLL_MS = 2000;
const shown = document.querySelector("[data-balance]");
const quantity = document.querySelector("[data-quantity]");
const note = document.querySelector("[data-note]");
const spend = document.querySelector("[data-spend]");

function show(balance) {
  const text = balance.toLocaleString("en-US");
  if (quantity.textContent === text) return;
  quantity.textContent = text;
  quantity.classList.remove("moved");
  void quantity.offsetWidth; // Restarts the animation.
  quantity.classList.add("moved");
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(shown.dataset.balance, { headers: { Accept: "application/json" } });
    if (answer.ok) show((await answer.json()).quantity);
  } catch {
    // The server is restarting: the next round asks again.
  }
}

async function spendOne(event) {
  event.preventDefault();
  const button = spend.querySelector("button");
  button.disabled = true;
  try {
    const body = new URLSearchParams(new FormData(spend));
    const answer = await fetch(spend.action, { method: "POST", body, headers: { Accept: "application/json" } });
    if (!answer.ok) {
      location.reload();
      return;
    }
    const told = await answer.json();
    spend.elements.attempt.value = told.attempt;
    note.textContent = told.text;
    note.className = `aside-note ${told.tone}`;
    show(told.quantity);
  } catch {
    note.textContent = "The store can't be reached just now. Press again: it will be spent once.";
  } finally {
    button.disabled = false;
  }
}

if (shown) setInterval(refresh, POLL_MS);
if (spend) spend.addEventListener("submit", spendOne);
