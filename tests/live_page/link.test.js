// Links: every state comes back, and a link that is cut, changed or made to harm is refused in one line.

import assert from "node:assert/strict";
import test from "node:test";

import { linkOf, stateFromLink } from "../../nnjax/reporting/live_page/link.js";
import { classes, textbook } from "./states.js";

const place = { iteration: 1, example: 2, step: 30 };
const partsOf = (hash) => JSON.parse(Buffer.from(hash.split("&s=")[1], "base64url").toString());
const withParts = (change) => {
  const parts = partsOf(linkOf(classes()));
  change(parts);
  return `#v=1&i=1&e=1&p=1&s=${Buffer.from(JSON.stringify(parts)).toString("base64url")}`;
};
function refused(hash, reason = /./) {
  assert.throws(
    () => stateFromLink(hash),
    ({ name, message }) =>
      name === "Error" && message.startsWith("this link cannot be opened: ") && !message.includes("\n") && reason.test(message),
    hash.slice(0, 80),
  );
}

test("a link holds the whole state and the place", () => {
  for (const state of [textbook(), classes(), { ...textbook(), rates: [-0.6, -0.3] }, { ...textbook(), learningRate: 1e-300 }]) {
    const hash = linkOf(state, place);
    assert.match(hash, /^#[\w=&-]+$/); // nothing that a mail or a chat would cut or encode
    assert.deepEqual(stateFromLink(hash), { state, place });
  }
});

test("a trace that can only be read has links to its steps", () => {
  const hash = linkOf(null, place);
  assert.deepEqual(stateFromLink(hash), { state: null, place });
  for (let length = 0; length < hash.length; length++) refused(hash.slice(0, length));
});

test("a link that is cut anywhere is refused", () => {
  const hash = linkOf(classes(), place);
  for (let length = 0; length < hash.length; length++) refused(hash.slice(0, length));
  for (const end of ["&", "=", "%20", "<b>", "&s=", "&x=1&x=2"]) refused(hash + end);
});

test("a link with a changed letter is refused or opens a valid state", () => {
  const hash = linkOf(classes(), place);
  for (let index = hash.indexOf("s=") + 2; index < hash.length; index++) {
    try {
      const { state } = stateFromLink(`${hash.slice(0, index)}A${hash.slice(index + 1)}`);
      assert.deepEqual(stateFromLink(linkOf(state)).state, state);
    } catch (error) {
      assert.match(error.message, /^this link cannot be opened: /);
    }
  }
});

test("another version, other places", () => {
  const hash = linkOf(textbook(), place);
  refused(hash.replace("v=1", "v=2"), /another version/);
  for (const value of ["0", "-1", "1.5", "NaN", "1e9", ""]) refused(hash.replace("p=31", `p=${value}`));
});

const HOSTILE = {
  "no layers": (parts) => (parts.l = []),
  "layers without end": (parts) => (parts.l = Array.from({ length: 9 }, () => parts.l[0])),
  "a layer that is a text": (parts) => (parts.l[0] = "layer"),
  "an activation from Object": (parts) => (parts.l[0][1] = "constructor"),
  "an activation that is a list": (parts) => (parts.l[0][1] = ["relu"]),
  "markup for a name, too long": (parts) => (parts.x[0] = "<img src=x onerror=alert(1)>".repeat(9)),
  "a name that is an object": (parts) => (parts.x[0] = { toString: "x" }),
  "a weight that is a text": (parts) => (parts.l[0][5][0][0] = "1"),
  "a weight that is not finite": (parts) => (parts.l[0][5][0][0] = null),
  "a weight too few": (parts) => parts.l[1][5][0].pop(),
  "biases missing": (parts) => (parts.l[0][6] = null),
  "a bias that is 1": (parts) => (parts.l[0][3] = 1),
  "a loss from Object": (parts) => (parts.o[0] = "toString"),
  "smoothing of 1": (parts) => (parts.o[1] = 1),
  "a rate that is missing": (parts) => (parts.r[0] = undefined),
  "rates for other iterations": (parts) => (parts.r[2] = [1]),
  "iterations without end": (parts) => (parts.n = 1e9),
  "batches of other sizes": (parts) => parts.b[0][0].pop(),
  "batches that are empty": (parts) => parts.b.forEach((batch) => batch.forEach((rows) => rows.splice(0))),
  "no batches": (parts) => (parts.b = {}),
  "two classes for an example": (parts) => (parts.b[0][1][0] = [1, 1, 0]),
  "too few classes": (parts) => parts.c.pop(),
  "no classes": (parts) => (parts.c = null),
  "an array": (parts) => (parts.b[0] = [[], [], []]),
};
for (const [what, change] of Object.entries(HOSTILE)) test(`refused: ${what}`, () => refused(withParts(change)));

test("refused: a work too large for a page", () => {
  const wide = (inputs) => ["h", "relu", null, false, false, Array(26).fill(Array(inputs).fill(0)), null];
  const change = (parts) => {
    Object.assign(parts, { x: Array(2).fill("x"), l: [wide(2), ...Array(7).fill(wide(26))], c: Array(26).fill("c"), n: 500 });
    const target = [1, ...Array(25).fill(0)];
    parts.b = [[Array(64).fill([0, 0]), Array(64).fill(target)]];
  };
  refused(withParts(change), /too large|letters/);
});

test("a prototype in a link reaches no object", () => {
  const text = '{"__proto__":{"polluted":1},' + JSON.stringify(partsOf(linkOf(textbook()))).slice(1);
  const { state } = stateFromLink(`#v=1&i=1&e=1&p=1&s=${Buffer.from(text).toString("base64url")}`);
  assert.deepEqual(state, textbook());
  assert.equal({}.polluted, undefined);
  for (const data of ["null", "[]", "1", '"x"', "{}", "[[[[", '{"l":1e999}']) {
    refused(`#v=1&i=1&e=1&p=1&s=${Buffer.from(data).toString("base64url")}`);
  }
  refused(`#v=1&i=1&e=1&p=1&s=${Buffer.from([0xff, 0xfe]).toString("base64url")}`);
});

test("a state too large for an address has no link", () => {
  const inputs = Array.from({ length: 4000 }, (_, index) => index / 3);
  const state = { ...textbook(), batches: [{ inputs: [inputs], targets: [[1]] }] };
  assert.throws(() => linkOf(state), /too large for a link/);
});
