// The walk's controls: iteration, step, phase, example, speed, play; the keys of the whole page.
//
//   const draw = makeControls(app);         // draws the place; listens to the controls

import { $, html } from "./dom.js";
import { PHASES } from "./words.js";

const atStart = ({ place }) => place.iteration === 0 && place.step === 0;
const atEnd = ({ place, record, rows }) =>
  place.iteration === record.iterations.length - 1 && place.step === rows.length - 1;

// Goes some steps on, into the next or previous iteration at the ends.
function move(app, by) {
  const { place, rows, record } = app;
  const step = place.step + by;
  if (step < 0 && place.iteration > 0) app.go({ iteration: place.iteration - 1, step: Infinity });
  else if (step >= rows.length && place.iteration < record.iterations.length - 1) {
    app.go({ iteration: place.iteration + 1, step: 0 });
  } else app.go({ step });
}

export function makeControls(app) {
  let timer = null;
  const { place } = app;

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => (atEnd(app) ? play(false) : move(app, 1)), Number($("speed").value)) : null;
    $("play").textContent = on ? "Pause" : "Play";
    $("card").setAttribute("aria-live", on ? "off" : "polite");
  }
  function showExample(example) {
    const { quantity, example: own, neuron, input } = app.row;
    const step = app.record.stepAt(place.iteration, quantity, example + 1, neuron, input);
    app.go(own !== null && step !== undefined ? { step, example } : { example });
  }

  $("phases").append(
    ...Object.entries(PHASES).map(([phase, [name]]) => html("button", { type: "button", value: phase }, name)),
  );
  $("iteration").addEventListener("input", (event) => app.go({ iteration: Number(event.target.value) - 1 }));
  $("step").addEventListener("input", (event) => app.go({ step: Number(event.target.value) - 1 }));
  $("previous").addEventListener("click", () => move(app, -1));
  $("next").addEventListener("click", () => move(app, 1));
  $("play").addEventListener("click", () => {
    const on = timer === null;
    if (on && atEnd(app)) app.go({ iteration: 0, step: 0 });
    play(on);
  });
  $("speed").addEventListener("change", () => play(timer !== null));
  $("example").addEventListener("change", (event) => showExample(Number(event.target.value) - 1));
  $("phases").addEventListener("click", (event) => {
    const phase = event.target.closest("button")?.value;
    if (phase) app.go({ step: app.rows.findIndex((row) => row.phase === phase) });
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.target.closest("input, select, textarea")) return;
    if (event.ctrlKey || event.metaKey) {
      const redo = (event.key.toLowerCase() === "z" && event.shiftKey) || event.key === "y";
      if (event.key !== "z" && !redo) return;
      if (redo) app.redo();
      else app.undo();
      event.preventDefault();
      return;
    }
    if (event.altKey) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && event.shiftKey) app.go({ iteration: place.iteration + by });
    else if (by) move(app, by);
    else if (event.key === "Home") app.go(event.shiftKey ? { iteration: 0, step: 0 } : { step: 0 });
    else if (event.key === "End") app.go(event.shiftKey ? { iteration: Infinity, step: Infinity } : { step: Infinity });
    else if (event.key === " " && !event.target.closest("button, summary, a")) $("play").click();
    else return;
    event.preventDefault();
  });

  return function drawControls() {
    const { record, rows, row } = app;
    if (!row) return;
    const { iterations } = record;
    const batch = record.batchSize(place.iteration);
    $("iteration").max = iterations.length;
    $("iteration").value = place.iteration + 1;
    const most = iterations.at(-1).number;
    $("iteration-text").textContent = `${iterations[place.iteration].number} of ${most}`;
    $("iteration").setAttribute("aria-valuetext", `iteration ${iterations[place.iteration].number} of ${most}`);
    $("step").max = rows.length;
    $("step").value = place.step + 1;
    const at = `${place.step + 1} of ${rows.length}`;
    $("step").setAttribute("aria-valuetext", `${at}: ${PHASES[row.phase][0]}, ${row.symbol}`);
    $("step-text").textContent = at;
    $("previous").disabled = atStart(app);
    $("next").disabled = atEnd(app);
    for (const button of $("phases").children) {
      button.disabled = !rows.some((other) => other.phase === button.value);
      if (button.value === row.phase) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    $("example-choice").hidden = batch === 1;
    if ($("example").options.length !== batch) {
      const names = Array.from({ length: batch }, (_, index) => html("option", { value: index + 1 }, `example ${index + 1}`));
      $("example").replaceChildren(...names);
    }
    $("example").value = place.example + 1;
  };
}
