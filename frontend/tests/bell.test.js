import assert from "node:assert/strict";
import { test } from "node:test";

import { parseMessage } from "../static/js/live/messages.js";
import { countLabel } from "../static/js/pages/bell.js";

test("the bell shows a short count, and nothing when everything was read", () => {
  assert.equal(countLabel(0), "");
  assert.equal(countLabel(-1), "");
  assert.equal(countLabel(7), "7");
  assert.equal(countLabel(99), "99");
  assert.equal(countLabel(100), "99+");
});

test("a notification without a whole count is not taken", () => {
  const notification = { id: "n1", kind: "team", text: "You are in.", url: "/n1", created_at: "2026-11-21", read: false };
  assert.equal(parseMessage(JSON.stringify({ type: "notification", unread: 2, notification })).unread, 2);
  assert.equal(parseMessage('{"type": "notification", "unread": 0, "notification": null}').notification, null);
  for (const text of ['{"type": "notification"}', '{"type": "notification", "unread": "2"}', '{"type": "notification", "unread": 1.5}']) {
    assert.equal(parseMessage(text), null, text);
  }
});
