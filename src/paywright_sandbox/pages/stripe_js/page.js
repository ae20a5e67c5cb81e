/* One page's connection to the sandbox, and 3D Secure. */

/** One page's connection to the sandbox. */
class Page {
  constructor(key, options) {
    this.headers = { Authorization: `Bearer ${key}`, ...(options.stripeAccount ? { "Stripe-Account": options.stripeAccount } : {}) };
  }

  /** The object, or `{error}`. */
  async ask(method, path, parameters = {}) {
    const form = encoded(parameters);
    const address = method === "GET" ? `${SANDBOX}${path}?${form}` : SANDBOX + path;
    try {
      const answer = await fetch(address, { method, headers: this.headers, body: method === "GET" ? undefined : form });
      return await answer.json();
    } catch (cause) {
      return { error: { type: "api_connection_error", message: `The sandbox at ${SANDBOX} does not answer: ${cause.message}` } };
    }
  }

  intent(secret) {
    return this.ask("GET", pathOf(secret), { client_secret: secret });
  }

  async method(element, more = {}) {
    const problem = element._missing();
    if (problem) return { error: element._show(problem) };
    const billing = { ...element._options.defaultValues?.billingDetails, ...more.billing_details };
    if (element._method !== "card" && !billing.name) billing.name = "Sandbox Buyer";
    return this.ask("POST", "/v1/payment_methods", { ...element._details(), ...more, billing_details: billing });
  }

  /** Confirms; shows 3D Secure when the bank asks, unless the buyer is to be sent to the bank's page. */
  async confirm(secret, parameters, { redirects = false, handles = true, element = null } = {}) {
    const found = await this.ask("POST", `${pathOf(secret)}/confirm`, { ...parameters, client_secret: secret });
    if (found.error) return { error: element ? element._show(found.error) : found.error };
    if (found.status === "requires_action" && redirects) return this.leave(found.next_action.redirect_to_url.url);
    const ended = found.status === "requires_action" && handles ? await this.authenticated(found) : named(found);
    if (ended.error && element) element._show(ended.error);
    return redirects && !ended.error ? this.leave(returning(parameters.return_url, found)) : ended;
  }

  /** The page is on its way out: nothing is answered any more, as with Stripe.js. */
  leave(url) {
    window.location.assign(url);
    return new Promise(() => {});
  }

  async authenticated(intent) {
    const outcome = await asked(intent);
    const body = encoded({ client_secret: intent.client_secret, outcome });
    const answer = await fetch(`${SANDBOX}/3ds/${intent.id}/answer`, { method: "POST", body });
    if (!answer.ok) return { error: (await answer.json()).error };
    const ended = await this.intent(intent.client_secret);
    if (ended.error) return ended;
    const error = ended.last_payment_error || ended.last_setup_error;
    return ended.status === "requires_payment_method" ? { error: { ...error, [ended.object]: ended } } : named(ended);
  }
}

function returning(url, intent) {
  const back = new URL(url, window.location.href);
  back.searchParams.set(intent.object, intent.id);
  back.searchParams.set(`${intent.object}_client_secret`, intent.client_secret);
  back.searchParams.set("redirect_status", intent.status === "processing" ? "pending" : "succeeded");
  return back.href;
}

/** The bank's question as a dialog over the page: `complete` or `fail`; Escape fails. */
function asked(intent) {
  return new Promise((resolve) => {
    const host = document.body.appendChild(tag("div"));
    const dialog = tag("dialog", { "aria-label": "3D Secure" }, mark(), tag("h2", {}, "Test Bank · 3D Secure"));
    dialog.append("Your bank would ask for a code here. In the sandbox you choose the outcome.");
    const end = (outcome) => {
      host.remove();
      resolve(outcome);
    };
    dialog.addEventListener("cancel", () => end("fail"));
    dialog.append(tag("button", { type: "button", onclick: () => end("complete") }, "Complete authentication"));
    dialog.append(tag("button", { type: "button", onclick: () => end("fail") }, "Fail authentication"));
    shadowOf(host).append(dialog);
    dialog.showModal();
    dialog.dataset.intent = intent.id;
  });
}
