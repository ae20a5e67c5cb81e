// The same by react-stripe-js.
import { createElement as h, StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { loadStripe } from "@stripe/stripe-js";
import { CardElement, Elements, PaymentElement, useElements, useStripe } from "@stripe/react-stripe-js";

const { publishableKey, clientSecret, type } = window.ASKED;

function Form() {
  const [stripe, elements, [outcome, tell]] = [useStripe(), useElements(), useState("")];
  const pay = async (event) => {
    event.preventDefault();
    const ended =
      type === "payment"
        ? await stripe.confirmPayment({ elements, redirect: "if_required" })
        : await stripe.confirmCardSetup(clientSecret, { payment_method: { card: elements.getElement(CardElement) } });
    tell(ended.error ? ended.error.message : (ended.paymentIntent || ended.setupIntent).status);
  };
  const field = h(type === "payment" ? PaymentElement : CardElement, { onReady: () => (document.title = "Ready") });
  return h("form", { onSubmit: pay }, field, h("button", {}, "Pay"), h("p", { id: "outcome" }, outcome));
}

const options = type === "payment" ? { clientSecret } : {};
createRoot(document.querySelector("#app")).render(
  h(StrictMode, {}, h(Elements, { stripe: loadStripe(publishableKey), options }, h(Form))),
);
