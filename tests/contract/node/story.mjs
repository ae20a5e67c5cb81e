// Node's official package against the sandbox; prints what it saw as one line of JSON.
import { createServer } from "node:http";
import Stripe from "stripe";

const { SANDBOX_HOST: host, SANDBOX_PORT: port, SANDBOX_KEY: key } = process.env;
const stripe = new Stripe(key, { host, port, protocol: "http", maxNetworkRetries: 0, telemetry: false });

const told = [];
let secret;
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    try {
      told.push(stripe.webhooks.constructEvent(Buffer.concat(parts), request.headers["stripe-signature"], secret).type);
      response.writeHead(200).end();
    } catch (problem) {
      told.push(problem.type);
      response.writeHead(400).end();
    }
  });
});
await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
const endpoint = await stripe.webhookEndpoints.create({ url: `http://127.0.0.1:${server.address().port}/`, enabled_events: ["*"] });
secret = endpoint.secret;

const customer = await stripe.customers.create({ email: "ann@example.com", metadata: { plan: "pro" } });
const price = await stripe.prices.create({
  currency: "usd",
  unit_amount: 900,
  recurring: { interval: "month" },
  product_data: { name: "Pro" },
});
const method = await stripe.paymentMethods.attach("pm_card_visa", { customer: customer.id });
const subscription = await stripe.subscriptions.create({
  customer: customer.id,
  items: [{ price: price.id }],
  default_payment_method: method.id,
  expand: ["latest_invoice"],
});
for (let number = 0; number < 12; number++) await stripe.customers.create({ name: `Number ${number}` });
const names = [];
for await (const each of stripe.customers.list({ limit: 5 })) names.push(each.name);

const refusals = [];
for (const wish of [
  () => stripe.customers.retrieve("cus_nobody"),
  () => stripe.customers.create({ colour: "red" }),
  () => stripe.paymentIntents.create({ amount: 500, currency: "usd", payment_method: "pm_card_visa_chargeDeclined", confirm: true }),
  () => new Stripe("sk_live_1", { host, port, protocol: "http" }).customers.list(),
]) {
  const problem = await wish().then(() => ({}), (said) => said);
  refusals.push([problem.type, problem.statusCode, problem.code ?? null, problem.param ?? null, problem.decline_code ?? null]);
}
const again = { idempotencyKey: "once" };
const twice = [await stripe.customers.create({ name: "Bo" }, again), await stripe.customers.create({ name: "Bo" }, again)];

await fetch(`http://${host}:${port}/_sandbox/deliveries/settle`, {
  method: "POST",
  headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
  body: "{}",
});
server.close();
server.closeAllConnections();
console.log(
  JSON.stringify({
    subscription: subscription.status,
    invoice: subscription.latest_invoice.amount_paid,
    metadata: customer.metadata,
    listed: names.length,
    newest: names[0],
    refusals,
    same: twice[0].id === twice[1].id,
    told: told.sort(),
  }),
);
