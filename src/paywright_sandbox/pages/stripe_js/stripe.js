/* `Stripe(publishableKey, { stripeAccount })`. Whatever else Stripe.js has throws a sentence. */

/** What confirmPayment and confirmSetup share. */
async function confirmWithElements(page, kind, { elements, clientSecret, confirmParams = {}, redirect = "always", confirmationToken }) {
  const secret = clientSecret || elements?._options.clientSecret;
  if (kindOf(secret) !== kind) throw new IntegrationError(`The client secret ${secret} is not one of a ${kind}.`);
  if (redirect === "always" && !confirmParams.return_url) throw new IntegrationError("confirmParams.return_url is needed, or redirect: \"if_required\".");
  const { payment_method_data: more, payment_method: saved, ...rest } = confirmParams;
  const token = confirmParams.confirmation_token || confirmationToken;
  if (saved || token) return page.confirm(secret, { ...rest, payment_method: saved, confirmation_token: token }, { redirects: redirect === "always" });
  if (!elements) throw new IntegrationError("elements, or confirmParams.payment_method, is needed.");
  if (!elements._options.clientSecret && !elements._submitted) throw new IntegrationError("Call elements.submit() before confirming.");
  const element = elements._only();
  const method = await page.method(element, more);
  if (method.error) return { error: element._show(method.error) };
  return page.confirm(secret, { ...rest, payment_method: method.id }, { redirects: redirect === "always", element });
}

/** What confirmCardPayment and confirmCardSetup share. */
async function confirmCard(page, kind, secret, wish = {}, { handleActions = true } = {}) {
  if (kindOf(secret) !== kind) throw new IntegrationError(`The client secret ${secret} is not one of a ${kind}.`);
  const { payment_method: given, ...rest } = wish;
  if (given === undefined || typeof given === "string") return page.confirm(secret, { ...rest, payment_method: given }, { handles: handleActions });
  const { card, ...more } = given;
  const method = await cardMethod(page, card, more);
  if (method.error) return { error: method.error };
  const element = card instanceof Element ? card : null;
  return page.confirm(secret, { ...rest, payment_method: method.id }, { handles: handleActions, element });
}

function cardMethod(page, card, more) {
  if (card instanceof Element) return page.method(card, more);
  if (card?.token) return page.ask("POST", "/v1/payment_methods", { type: "card", card: { token: card.token }, ...more });
  throw new IntegrationError("payment_method.card is a card element or { token }.");
}

function elementOf(wish) {
  if (!wish.elements) throw new IntegrationError("elements is needed.");
  return wish.elements._only();
}

/** `{type: "card", card: element, billing_details}` or `{elements, params}`. */
async function createPaymentMethod(page, wish) {
  if (wish.type !== undefined && wish.type !== "card") throw new IntegrationError(`A payment method of type ${wish.type} is not made here; "card" is.`);
  const { type, card, ...more } = wish;
  const made = await (type ? cardMethod(page, card, more) : page.method(elementOf(wish), wish.params));
  return made.error ? made : { paymentMethod: made };
}

async function createToken(page, element, details = {}) {
  if (!(element instanceof Element)) throw new IntegrationError("createToken() takes a card element.");
  const problem = element._missing();
  if (problem) return { error: element._show(problem) };
  if (element._method !== "card") throw new IntegrationError("Only cards become tokens in the sandbox.");
  const made = await page.ask("POST", "/v1/tokens", { card: { ...element._typed(), name: details.name } });
  return made.error ? made : { token: made };
}

async function createConfirmationToken(page, wish) {
  const { payment_method_data: more, ...rest } = wish.params || {};
  const method = await page.method(elementOf(wish), more);
  if (method.error) return { error: method.error };
  const made = await page.ask("POST", "/v1/confirmation_tokens", { ...rest, payment_method: method.id });
  return made.error ? made : { confirmationToken: made };
}

async function retrieve(page, kind, secret) {
  if (kindOf(secret) !== kind) throw new IntegrationError(`The client secret ${secret} is not one of a ${kind}.`);
  const found = await page.intent(secret);
  return found.error ? found : named(found);
}

async function handleNextAction(page, { clientSecret }) {
  const found = await page.intent(clientSecret);
  if (found.error) return found;
  return found.status === "requires_action" ? page.authenticated(found) : named(found);
}

function Stripe(key, options = {}) {
  if (!/^pk_test_/.test(key || "")) throw new IntegrationError("The sandbox takes publishable test keys, pk_test_….");
  const page = new Page(key, options);
  return honest("stripe", {
    elements: (wish = {}) => honest("elements", new Elements(page, { ...wish })),
    confirmPayment: (wish) => confirmWithElements(page, "payment_intent", wish),
    confirmSetup: (wish) => confirmWithElements(page, "setup_intent", wish),
    confirmCardPayment: (secret, wish, how) => confirmCard(page, "payment_intent", secret, wish, how),
    confirmCardSetup: (secret, wish, how) => confirmCard(page, "setup_intent", secret, wish, how),
    createPaymentMethod: (wish) => createPaymentMethod(page, wish),
    createToken: (element, details) => createToken(page, element, details),
    createConfirmationToken: (wish) => createConfirmationToken(page, wish),
    retrievePaymentIntent: (secret) => retrieve(page, "payment_intent", secret),
    retrieveSetupIntent: (secret) => retrieve(page, "setup_intent", secret),
    handleNextAction: (wish) => handleNextAction(page, wish),
    registerAppInfo: () => undefined,
    _registerWrapper: () => undefined,
  });
}

Stripe.version = RELEASE;
window.Stripe = Stripe;
