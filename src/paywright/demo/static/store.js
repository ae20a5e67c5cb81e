// The store works without this file. It follows the customer, so that the page shows what happens elsewhere, and spends without leaving the page.

import { follow } from "./live.js";

const followed = document.querySelector("[data-live]");
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

async function admit() {
  const answer = await fetch(followed.dataset.live, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the store answered ${answer.status}`);
  return answer.json();
}

let owned = null;

function told(state) {
  const item = state.items.find((each) => each.id === followed.dataset.item);
  if (item && quantity) show(item.non_negative_quantity);
  const now = JSON.stringify(state.products.map((each) => [each.id, each.quantity, each.access, each.ends_at, each.subscription]));
  // What changed between the writing of the page and the first word of the stream is missed by neither.
  const isBehind = owned === null ? Number(followed.dataset.version ?? state.version) !== state.version : owned !== now;
  if (isBehind) renew();
  owned = now;
}

// The server writes the page; what it would write now takes the place of what stands there.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html", "Store-Glance": "1" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-part]")) {
    const fresh = page.querySelector(`[data-part="${part.dataset.part}"]`);
    if (fresh) part.replaceWith(fresh);
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

if (followed) follow(admit, told);
if (spend) spend.addEventListener("submit", spendOne);
