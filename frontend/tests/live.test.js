import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../static/js/live/backoff.js";
import { isFinal, JobView, parseMessage } from "../static/js/live/messages.js";
import { LiveSocket } from "../static/js/live/socket.js";

const job = (changes = {}) => ({
  id: "j1",
  picture: "p1",
  status: "queued",
  position: 2,
  attempt: 0,
  stage: "",
  fraction: 0,
  steps_done: null,
  steps_total: null,
  seconds_left: null,
  preview: null,
  ...changes,
});

const progress = (changes = {}) => ({
  type: "job.progress",
  job: "j1",
  attempt: 1,
  seq: 1,
  stage: "Copying",
  fraction: 0.2,
  steps_done: 2,
  steps_total: 10,
  seconds_left: 4,
  preview: null,
  ...changes,
});

test("only whole messages of known types are taken", () => {
  assert.equal(parseMessage(JSON.stringify({ type: "job.state", job: job() })).job.id, "j1");
  assert.equal(parseMessage(JSON.stringify(progress())).fraction, 0.2);
  assert.equal(parseMessage('{"type": "pong"}').type, "pong");
  for (const text of ["", "{", "null", "[]", '"hi"', '{"type": "party"}', '{"type": "job.state"}', '{"type": "job.progress", "job": "j1"}']) {
    assert.equal(parseMessage(text), null, text);
  }
});

test("progress makes a queued job a running one and is applied in the order it was sent", () => {
  const view = new JobView(job());
  assert.ok(view.applyProgress(progress({ seq: 3, fraction: 0.5 })));
  assert.equal(view.job.status, "running");
  assert.equal(view.job.position, null);
  assert.equal(view.applyProgress(progress({ seq: 2, fraction: 0.3 })), false);
  assert.equal(view.applyProgress(progress({ seq: 3, fraction: 0.9 })), false);
  assert.equal(view.job.fraction, 0.5);
});

test("a new attempt starts over, an old one is not heard any more", () => {
  const view = new JobView(job({ status: "running", attempt: 1, fraction: 0.8 }));
  const preview = { url: "/1", box: [0, 0, 1, 1] };
  view.applyProgress(progress({ seq: 40, fraction: 0.9, preview }));
  assert.ok(view.applyProgress(progress({ attempt: 2, seq: 0, fraction: 0.1 })));
  assert.equal(view.job.fraction, 0.1);
  assert.equal(view.job.preview, null);
  assert.equal(view.applyProgress(progress({ attempt: 1, seq: 99 })), false);
  assert.equal(view.applyState(job({ status: "running", attempt: 1 })), false);
});

test("a slower answer of the database does not turn progress back", () => {
  const view = new JobView(job({ status: "running", attempt: 1 }));
  view.applyProgress(progress({ fraction: 0.7, stage: "Weaving", preview: { url: "/7", box: [0, 0, 2, 2] } }));
  assert.ok(view.applyState(job({ status: "running", attempt: 1, fraction: 0.4, stage: "Copying" })));
  assert.equal(view.job.fraction, 0.7);
  assert.equal(view.job.stage, "Weaving");
  assert.equal(view.job.preview.url, "/7");
});

test("a job that was handed back is waiting again", () => {
  const view = new JobView(job({ status: "running", attempt: 1, fraction: 0.6 }));
  assert.ok(view.applyState(job({ status: "queued", attempt: 1, position: 1, fraction: 0 })));
  assert.equal(view.job.status, "queued");
  assert.equal(view.job.fraction, 0);
});

test("after the end nothing changes", () => {
  for (const status of ["succeeded", "failed", "cancelled"]) {
    const view = new JobView(job({ status: "running", attempt: 1 }));
    view.applyState(job({ status, attempt: 1 }));
    assert.ok(isFinal(view.job));
    assert.equal(view.applyProgress(progress({ seq: 1000 })), false);
    assert.equal(view.applyState(job({ status: "running", attempt: 1 })), false);
  }
});

test("waiting doubles up to its limit, with jitter, and starts over after success", () => {
  const backoff = new Backoff({ first: 100, most: 1000, random: () => 1 });
  assert.deepEqual([1, 2, 3, 4, 5, 6].map(() => backoff.next()), [100, 200, 400, 800, 1000, 1000]);
  backoff.reset();
  assert.equal(backoff.next(), 100);
  const low = new Backoff({ first: 100, most: 1000, random: () => 0 });
  assert.equal(low.next(), 50);
});

/** A world in which time stands still until it is moved, and sockets do what the test says. */
function world() {
  const sockets = [];
  let timers = [];
  let now = 0;
  let handle = 0;
  return {
    sockets,
    surroundings: {
      open: () => {
        const socket = { sent: [], closed: false, send: (text) => socket.sent.push(JSON.parse(text)), close: () => (socket.closed = true) };
        sockets.push(socket);
        return socket;
      },
      later: (run, ms) => {
        handle += 1;
        timers.push({ handle, at: now + ms, run });
        return handle;
      },
      forget: (which) => {
        timers = timers.filter((timer) => timer.handle !== which);
      },
    },
    pass: (ms) => {
      const until = now + ms;
      for (;;) {
        const next = timers.filter((timer) => timer.at <= until).sort((a, b) => a.at - b.at)[0];
        if (!next) break;
        timers = timers.filter((timer) => timer !== next);
        now = next.at;
        next.run();
      }
      now = until;
    },
  };
}

function connected(listeners = {}) {
  const scene = world();
  const heard = [];
  const socket = new LiveSocket(
    "/ws/live/",
    { onMessage: (message) => heard.push(message), ...listeners },
    scene.surroundings,
    new Backoff({ first: 100, most: 1000, random: () => 1 }),
  );
  socket.start();
  return { ...scene, socket, heard };
}

test("what is watched is said again on every connection", () => {
  const { socket, sockets, pass } = connected();
  socket.watch("a");
  assert.deepEqual(sockets[0].sent, []);
  sockets[0].onopen();
  socket.watch("b");
  socket.unwatch("a");
  assert.deepEqual(sockets[0].sent, [{ type: "watch", job: "a" }, { type: "watch", job: "b" }, { type: "unwatch", job: "a" }]);
  sockets[0].onclose();
  pass(100);
  sockets[1].onopen();
  assert.deepEqual(sockets[1].sent, [{ type: "watch", job: "b" }]);
});

test("a server that is away is asked less and less often, and again quickly once it spoke", () => {
  const { sockets, pass } = connected();
  for (const wait of [100, 200, 400, 800, 1000]) {
    const count = sockets.length;
    sockets.at(-1).onclose();
    pass(wait - 1);
    assert.equal(sockets.length, count);
    pass(1);
    assert.equal(sockets.length, count + 1);
  }
  sockets.at(-1).onopen();
  sockets.at(-1).onmessage({ data: '{"type": "pong"}' });
  sockets.at(-1).onclose();
  const count = sockets.length;
  pass(100);
  assert.equal(sockets.length, count + 1);
});

test("a silent line is pinged, and given up when nothing comes back", () => {
  let downs = 0;
  const { sockets, pass } = connected({ onDown: () => (downs += 1) });
  sockets[0].onopen();
  pass(25_000);
  assert.deepEqual(sockets[0].sent, [{ type: "ping" }]);
  sockets[0].onmessage({ data: '{"type": "pong"}' });
  pass(24_000);
  assert.equal(downs, 0);
  pass(1_000 + 10_000);
  assert.equal(downs, 1);
  assert.ok(sockets[0].closed);
  pass(100);
  assert.equal(sockets.length, 2);
});

test("a dead socket's late words are not heard, and a stopped one stays stopped", () => {
  const { socket, sockets, pass, heard } = connected();
  sockets[0].onopen();
  sockets[0].onclose();
  pass(100);
  sockets[0].onmessage({ data: '{"type": "pong"}' });
  assert.deepEqual(heard, []);
  socket.stop();
  sockets[1].onclose?.();
  pass(60_000);
  assert.equal(sockets.length, 2);
});

test("coming back online does not wait", () => {
  const { socket, sockets, pass } = connected();
  for (let i = 0; i < 5; i += 1) {
    sockets.at(-1).onclose();
    pass(1000);
  }
  sockets.at(-1).onclose();
  const count = sockets.length;
  socket.hurry();
  assert.equal(sockets.length, count + 1);
  socket.hurry();
  assert.equal(sockets.length, count + 1);
});

test("losses are those of the latest message, whatever the API answers in between", () => {
  const view = new JobView(job());
  view.applyProgress(progress({ seq: 1, fraction: 0.2, losses: { detail: 3 } }));
  assert.deepEqual(view.job.losses, { detail: 3 });
  for (const fraction of [0.1, 0.2]) {
    assert.ok(view.applyState(job({ status: "running", attempt: 1, fraction })));
    assert.deepEqual(view.job.losses, { detail: 3 });
  }
  view.applyProgress(progress({ seq: 2, fraction: 0.3 }));
  assert.equal(view.job.losses, null);
  view.applyProgress(progress({ seq: 3, fraction: 0.3, losses: { detail: 2 } }));
  assert.ok(view.applyState(job({ status: "queued", attempt: 1 })));
  assert.equal(view.job.losses ?? null, null);
});
