/* The `payment` and `card` elements: fields in the page, type test cards only. */

const TEST_CARDS = [
  ["4242 4242 4242 4242", "pays"],
  ["4000 0000 0000 0002", "is declined"],
  ["4000 0027 6000 3184", "asks for 3D Secure"],
  ["4000 0000 0000 0341", "declines later"],
];
const STYLE = `
  :host { display: block; font: 16px/1.4 system-ui, sans-serif; color: #1d2725; }
  * { box-sizing: border-box; font: inherit; color: inherit; }
  .frame { border: 1px solid #dcdfd9; border-radius: 8px; padding: 12px; background: #fff; }
  .mark { margin: -12px -12px 12px; padding: 4px 12px; border-radius: 8px 8px 0 0; background: #ffc531; color: #2b2000; font-size: 13px; }
  .row { display: grid; grid-template-columns: 2fr 1fr 1fr; gap: 8px; }
  label { display: block; font-size: 13px; color: #5f6d69; }
  input, select { display: block; width: 100%; padding: 8px; border: 1px solid #dcdfd9; border-radius: 6px; font-size: 16px; background: #fff; }
  input[aria-invalid=true] { border-color: #b42318; }
  fieldset { border: 0; margin: 0 0 10px; padding: 0; display: flex; gap: 16px; }
  fieldset label { display: flex; gap: 6px; font-size: 15px; color: inherit; }
  fieldset input { width: auto; }
  .error { margin: 8px 0 0; color: #b42318; font-size: 14px; }
  .tests { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 10px; }
  button { padding: 4px 10px; border: 1px solid #dcdfd9; border-radius: 6px; background: #fbfaf7; font-size: 13px; cursor: pointer; }
  :focus-visible { outline: 3px solid #f2a900; outline-offset: 2px; }
  [hidden] { display: none !important; }
  dialog { border: 0; border-radius: 8px; padding: 24px; max-width: 26rem; }
  dialog::backdrop { background: rgb(18 49 46 / 60%); }
  dialog .mark { margin: -24px -24px 16px; padding: 6px 24px; }
  dialog h2 { margin: 0 0 8px; font-size: 18px; font-weight: 650; }
  dialog button { display: block; width: 100%; margin-top: 10px; padding: 10px; font-size: 15px; }
`;

class IntegrationError extends Error {
  constructor(message) {
    super(`${message} (the sandbox's stripe.js)`);
    this.name = "IntegrationError";
  }
}

/** Known names as they are; any other answers a function that throws a sentence, so that nothing seems to work that does not. */
function honest(owner, known) {
  return new Proxy(known, {
    get(target, name) {
      if (name in target || typeof name === "symbol" || /^(then|catch|toJSON|[_$])/.test(name)) return target[name];
      return () => {
        throw new IntegrationError(`${owner}.${name}() is not served by the sandbox.`);
      };
    },
  });
}

function encoded(tree, prefix = "", into = new URLSearchParams()) {
  for (const [name, value] of Object.entries(tree)) {
    const key = prefix ? `${prefix}[${name}]` : name;
    if (value === undefined || value === null) continue;
    if (typeof value === "object") encoded(value, key, into);
    else into.append(key, String(value));
  }
  return into;
}

/** Elements keep their fields in a shadow tree, so that neither page nor element restyles the other. */
function shadowOf(host) {
  const root = host.shadowRoot || host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  root.replaceChildren();
  return root;
}

function tag(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

const mark = () => tag("p", { class: "mark" }, tag("strong", {}, "SANDBOX"), " – no real money. Test cards only.");
const invalid = (code, message) => ({ type: "validation_error", code, message });
const kindOf = (secret) => (String(secret).startsWith("seti_") ? "setup_intent" : "payment_intent");
const named = (intent) => (intent.object === "setup_intent" ? { setupIntent: intent } : { paymentIntent: intent });

function pathOf(secret) {
  if (!/^(pi|seti)_\w+_secret_\w+$/.test(secret || "")) {
    throw new IntegrationError(`A client secret looks like pi_…_secret_…; this one is ${JSON.stringify(secret)}.`);
  }
  return `/v1/${kindOf(secret)}s/${secret.split("_secret_")[0]}`;
}

class Element {
  constructor(type, options, elements) {
    this._type = type;
    this._options = options;
    this._elements = elements;
    this._listeners = new Map();
    this._fields = {};
    this._complete = false;
    this._method = "card";
  }

  on(event, listener) {
    this._listeners.set(event, [...(this._listeners.get(event) || []), listener]);
    return this;
  }

  once(event, listener) {
    const first = (fact) => {
      this.off(event, first);
      listener(fact);
    };
    return this.on(event, first);
  }

  off(event, listener) {
    const kept = (this._listeners.get(event) || []).filter((one) => listener && one !== listener);
    this._listeners.set(event, kept);
    return this;
  }

  mount(target) {
    const host = typeof target === "string" ? document.querySelector(target) : target;
    if (!(host instanceof HTMLElement)) throw new IntegrationError(`There is no element ${target} to mount on.`);
    if (this._host) this.unmount();
    this._host = host;
    const root = shadowOf(host);
    root.append(this._frame());
    this._elements._types().then((types) => {
      this._choice.hidden = !types.includes("us_bank_account") || this._type !== "payment";
      this._emit("ready");
    });
    return this;
  }

  unmount() {
    if (this._host) this._host.shadowRoot.replaceChildren();
    this._host = null;
  }

  destroy() {
    this.unmount();
    this._elements._forget(this._type);
  }

  update(options) {
    Object.assign(this._options, options);
    return this;
  }

  focus() {
    this._fields.number.focus();
  }

  blur() {
    this._host.shadowRoot.activeElement?.blur();
  }

  clear() {
    for (const field of Object.values(this._fields)) field.value = "";
    this._changed();
  }

  collapse() {
    this.blur();
  }

  _frame() {
    this._fields = {
      number: this._field("Card number", "cc-number", "1234 1234 1234 1234", 23),
      expiry: this._field("Expiry", "cc-exp", "MM / YY", 9),
      cvc: this._field("CVC", "cc-csc", "CVC", 4),
    };
    const wrap = (field, text) => tag("label", {}, text, field);
    const rows = tag("div", { class: "row" }, wrap(this._fields.number, "Card number"), wrap(this._fields.expiry, "Expiry"), wrap(this._fields.cvc, "CVC"));
    const fill = ([number, does]) => tag("button", { type: "button", title: number, onclick: () => this._fill(number) }, `${number.slice(-4)} ${does}`);
    const tests = tag("div", { class: "tests", role: "group", "aria-label": "Test cards" }, ...TEST_CARDS.map(fill));
    this._card = tag("div", {}, rows, tests);
    this._bank = tag("p", { hidden: true }, "Test account 000123456789. It pays after some days of the sandbox's clock.");
    const choose = (method, text) =>
      tag("label", {}, tag("input", { type: "radio", name: "method", checked: method === "card", onchange: () => this._choose(method) }), text);
    this._choice = tag("fieldset", { hidden: true, "aria-label": "Payment method" }, choose("card", "Card"), choose("us_bank_account", "Bank account"));
    this._error = tag("p", { class: "error", role: "alert", hidden: true });
    return tag("div", { class: "frame", onkeydown: (event) => this._key(event) }, mark(), this._choice, this._card, this._bank, this._error);
  }

  _field(name, autocomplete, placeholder, maxlength) {
    return tag("input", {
      "aria-label": name, autocomplete, placeholder, maxlength, inputmode: "numeric",
      oninput: () => this._changed(), onfocus: () => this._emit("focus"), onblur: () => this._emit("blur"),
    });
  }

  /** Enter sends the form around the element, Escape is told. */
  _key(event) {
    if (event.key === "Escape") this._emit("escape");
    if (event.key !== "Enter" || event.target.tagName !== "INPUT") return;
    event.preventDefault();
    this._host.closest("form")?.requestSubmit();
  }

  _fill(number) {
    const values = { number, expiry: "12 / 34", cvc: "123" };
    for (const [name, value] of Object.entries(values)) this._fields[name].value = value;
    this._changed();
  }

  _choose(method) {
    this._method = method;
    this._card.hidden = method !== "card";
    this._bank.hidden = method === "card";
    this._changed();
  }

  _typed() {
    const [month, year] = this._fields.expiry.value.split(/\s*\/\s*|(?<=^\d\d)\s*(?=\d)/);
    return {
      number: this._fields.number.value.replace(/\D/g, ""),
      exp_month: Number(month), exp_year: Number(year) + (Number(year) < 100 ? 2000 : 0),
      cvc: this._fields.cvc.value.trim(),
    };
  }

  /** What is missing, as Stripe.js says it; null when nothing is. */
  _missing() {
    if (!this._host) throw new IntegrationError(`The ${this._type} element is not mounted.`);
    if (this._method !== "card") return null;
    const typed = this._typed();
    if (typed.number.length < 12) return invalid("incomplete_number", "Your card number is incomplete.");
    if (!(typed.exp_month > 0 && typed.exp_year > 0)) return invalid("incomplete_expiry", "Your card's expiration date is incomplete.");
    if (typed.cvc.length < 3) return invalid("incomplete_cvc", "Your card's security code is incomplete.");
    return null;
  }

  _details() {
    if (this._method === "card") return { type: "card", card: this._typed() };
    return { type: "us_bank_account", us_bank_account: { account_number: "000123456789", routing_number: "110000000", account_holder_type: "individual" } };
  }

  _changed() {
    this._complete = this._missing() === null;
    this._show(null);
    const empty = this._method === "card" && Object.values(this._fields).every((field) => !field.value);
    this._emit("change", { complete: this._complete, empty, collapsed: false, value: { type: this._method }, brand: "unknown", error: undefined });
  }

  _show(problem) {
    this._error.hidden = !problem;
    this._error.textContent = problem?.message || "";
    for (const [name, field] of Object.entries(this._fields)) field.setAttribute("aria-invalid", String(problem?.code?.endsWith(name) || false));
    return problem;
  }

  _emit(event, facts = {}) {
    const fact = event === "ready" ? this : { elementType: this._type, ...facts };
    for (const listener of this._listeners.get(event) || []) listener(fact);
  }
}

class Elements {
  constructor(page, options) {
    this._page = page;
    this._options = options;
    this._made = new Map();
    this._submitted = false;
  }

  create(type, options = {}) {
    if (type !== "payment" && type !== "card") throw new IntegrationError(`The element "${type}" is not served by the sandbox; "payment" and "card" are.`);
    if (this._made.has(type)) throw new IntegrationError(`There is a ${type} element already; destroy it first.`);
    const made = honest("element", new Element(type, { ...options }, this));
    this._made.set(type, made);
    return made;
  }

  getElement(type) {
    return this._made.get(typeof type === "string" ? type : type?.__elementType) || null;
  }

  update(options) {
    Object.assign(this._options, options);
  }

  async fetchUpdates() {
    return {};
  }

  async submit() {
    const problem = this._only()._missing();
    if (problem) return { error: this._only()._show(problem) };
    this._submitted = true;
    return { selectedPaymentMethod: this._only()._method };
  }

  _only() {
    const found = this._made.get("payment") || this._made.get("card");
    if (!found) throw new IntegrationError("Create and mount an element first.");
    return found;
  }

  _forget(type) {
    this._made.delete(type);
  }

  async _types() {
    if (!this._options.clientSecret) return this._options.paymentMethodTypes || ["card"];
    const found = await this._page.ask("GET", pathOf(this._options.clientSecret), { client_secret: this._options.clientSecret });
    if (found.error) throw new IntegrationError(found.error.message);
    return found.payment_method_types;
  }
}
