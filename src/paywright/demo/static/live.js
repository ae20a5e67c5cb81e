// Follows one customer of Paywright. Server-sent events are read with fetch, because a token never travels in a URL.

const PAUSE_MS = 500;
const PAUSE_MS_MAX = 8000;

// `admit` asks our own server for { url, token }. `told` is called with the customer's state, now and after every change.
export async function follow(admit, told) {
  let seen = null;
  for (let pause = PAUSE_MS; ; pause = Math.min(pause * 2, PAUSE_MS_MAX)) {
    try {
      const { url, token } = await admit();
      const headers = { Authorization: `Bearer ${token}` };
      if (seen !== null) headers["Last-Event-ID"] = seen;
      const answer = await fetch(url, { headers });
      for await (const event of events(answer)) {
        seen = event.id;
        pause = PAUSE_MS;
        const body = JSON.parse(event.data);
        told(event.event === "change" ? body.state : body);
      }
    } catch {
      // The server restarts, or the machine slept. What is missed is told later: `seen` says from where.
    }
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function* events(answer) {
  if (!answer.ok) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ""; ; ) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const lines = block.split("\n").filter((line) => line && !line.startsWith(":"));
      const event = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
      if (event.data) yield event;
    }
  }
}
