// A page that pays by the official loader, without a framework.
import { loadStripe } from "@stripe/stripe-js";

const { publishableKey, clientSecret, type, wish } = window.ASKED;
const stripe = await loadStripe(publishableKey);
const elements = stripe.elements(type === "payment" ? { clientSecret } : {});
const element = elements.create(type);
element.on("ready", () => (document.title = "Ready"));
element.on("change", (fact) => (document.querySelector("#state").textContent = fact.complete ? "complete" : "incomplete"));
element.mount("#element");
window.told = { stripe, elements, element };

document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const secret = wish.call.startsWith("confirmCard");
  const more = secret ? { payment_method: { card: element, billing_details: { name: "Ann" } } } : {};
  const ended = secret ? await stripe[wish.call](clientSecret, more) : await stripe[wish.call]({ elements, ...wish.options });
  document.querySelector("#outcome").textContent = ended.error ? ended.error.message : (ended.paymentIntent || ended.setupIntent).status;
});
