// The page's state: the trace or what a person has made of it, the place of the walk, undo and redo, redrawing.
//
//   const app = makeApp(trace);
//   app.subscribe(() => draw(app.record, app.place));
//   app.change(withRate(app.state, -0.3), "rate");      // one undo for all changes of a drag; redraws at the next frame
//   app.go({iteration: 0, example: 0, step: 4});        // redraws at once

import { compute } from "./compute.js";
import { keyOfRow, recordOfState, recordOfTrace } from "./record.js";
import { LIMITS, stateOf } from "./state.js";

const MAX_UNDO = 200;
const MOST_PRODUCTS = 2e6; // of a forward pass of all iterations: about a tenth of a second
const MOST_COMPARED = 30000; // of an iteration that is compared with the page's own numbers

// A trace's state, or why the page cannot edit it; and whether the page can compute its recorded iterations again.
function editableState(trace) {
  const { iterations } = trace;
  if (!iterations.length) return { state: null, readOnly: "it has no iteration", comparable: false };
  let state;
  try {
    state = stateOf(trace);
  } catch (error) {
    return { state: null, readOnly: error.message.replace(/\.$/, ""), comparable: false };
  }
  const comparable = trace.rows.length / iterations.length <= MOST_COMPARED;
  const refused = (readOnly) => ({ state: null, readOnly, comparable });
  if (iterations.some(({ number }, index) => number !== index + 1)) {
    return refused("it records only some of its iterations; a trace of 100 iterations or fewer records all of them");
  }
  if (iterations.length > LIMITS.iterations) return refused(`it has more than ${LIMITS.iterations} iterations`);
  const weights = state.layers.reduce((sum, layer) => sum + layer.weights.flat().length, 0);
  if (weights * state.batches[0].inputs.length * iterations.length > MOST_PRODUCTS) {
    return refused("it is too large to be computed again at every change");
  }
  return { state, readOnly: null, comparable };
}

export function makeApp(trace) {
  const { state: first, readOnly, comparable } = editableState(trace);
  const [past, future, followers] = [[], [], []];
  const original = recordOfTrace(trace);
  let [group, frame, record, computed] = [null, null, original, null];

  const app = {
    trace,
    readOnly, // why nothing can be edited; null if it can be
    comparable, // whether the page can compute the recorded iterations again
    original,
    state: first,
    place: { iteration: 0, example: 0, step: 0 },
    notice: null, // a line about a change or a link that was refused
    get edited() {
      return app.state !== first;
    },
    get computed() {
      if (computed === null && app.state) computed = compute(app.state);
      return computed;
    },
    get record() {
      record ??= app.edited ? recordOfState(app.state, app.computed) : original;
      return record;
    },
    get rows() {
      return app.record.iterations.length ? app.record.rows(app.place.iteration) : [];
    },
    get row() {
      return app.rows[app.place.step];
    },
    get canUndo() {
      return past.length > 0;
    },
    get canRedo() {
      return future.length > 0;
    },
    subscribe: (follower) => followers.push(follower),
    change,
    go,
    undo: () => travel(past, future),
    redo: () => travel(future, past),
    reset: () => app.edited && change(first),
    endGroup: () => (group = null),
    open,
    redraw,
  };

  function set(state) {
    const at = app.row;
    app.state = state;
    [record, computed] = [null, null];
    stay(at);
    frame ??= requestAnimationFrame(redraw);
  }

  // Keeps the place at the same quantity, whose number among the rows may have changed.
  function stay(at) {
    const { place } = app;
    const last = Math.max(0, app.record.iterations.length - 1);
    place.iteration = Math.min(place.iteration, last);
    if (!app.record.iterations.length) return;
    place.example = Math.min(place.example, app.record.batchSize(place.iteration) - 1);
    const same = at && app.rows.findIndex((row) => keyOfRow(row) === keyOfRow(at));
    const phase = at && app.rows.findIndex((row) => row.phase === at.phase);
    place.step = same >= 0 ? same : phase >= 0 ? phase : Math.min(place.step, app.rows.length - 1);
  }

  // Changes of the same group in a row, such as those of one drag, are undone together.
  function change(state, into = null) {
    if (state === app.state || !app.state) return;
    if (into === null || into !== group) {
      past.push(app.state);
      if (past.length > MAX_UNDO) past.shift();
    }
    group = into;
    future.length = 0;
    set(state);
  }

  function travel(from, to) {
    if (!from.length) return;
    to.push(app.state);
    group = null;
    set(from.pop());
  }

  // A state and a place from elsewhere, such as a link.
  function open(state, place) {
    change(state);
    if (place) go(place);
  }

  function go({ iteration = app.place.iteration, step = app.place.step, example = app.place.example }) {
    const { place } = app;
    if (!app.record.iterations.length) return;
    place.iteration = Math.max(0, Math.min(app.record.iterations.length - 1, iteration));
    place.step = Math.max(0, Math.min(app.rows.length - 1, step));
    const own = app.row.example;
    place.example = own === null ? Math.min(example, app.record.batchSize(place.iteration) - 1) : own - 1;
    redraw();
  }

  function redraw() {
    if (frame !== null) cancelAnimationFrame(frame);
    frame = null;
    for (const follower of followers) follower();
  }
  return app;
}
