// The panel "Guess before you look": while it is open, the value of the current step stays hidden until the reader has it.
//
//   makeGuess($("guess"), app);        // sets app.hidden(iteration, step), which the card, the drawing and the table ask

import { html, math } from "./dom.js";
import { NO_SCORE, judge, scoreText, scored } from "./guess.js";

export function makeGuess(root, app) {
  const question = html("p", { class: "guess-question", id: "guess-question" });
  const field = html("input", {
    ...{ type: "text", id: "guess-value", class: "guess-value", inputmode: "text", maxlength: "60" },
    ...{ autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "guess-question guess-verdict" },
  });
  const check = html("button", { type: "submit" }, "Check");
  const reveal = html("button", { type: "button" }, "Reveal");
  const next = html("button", { type: "button" }, "Next step");
  const verdict = html("p", { class: "guess-verdict", id: "guess-verdict", role: "status", "aria-live": "polite" });
  const score = html("p", { class: "guess-score muted" });
  const form = html(
    "form",
    { class: "guess-form" },
    html("label", { for: "guess-value" }, "Your value"),
    field,
    html("span", { class: "guess-buttons" }, check, reveal, next),
  );
  const details = html(
    "details",
    { class: "guess-details" },
    html("summary", {}, html("h2", {}, "Guess before you look")),
    html(
      "p",
      { class: "muted" },
      "While this is open, the value of the current step is hidden, and so are those after it. Work it out and type it: ",
      "three significant digits are enough. 0.5, .5, 0,5, 1/2 and 5e-1 are the same number.",
    ),
    question,
    form,
    verdict,
    score,
  );
  root.append(details);

  let settled = new Map(); // "iteration:step" → the verdict that was shown
  let [state, at, tries, total] = [app.state, null, 0, NO_SCORE];
  const keyAt = (iteration, step) => `${iteration}:${step}`;
  const here = () => keyAt(app.place.iteration, app.place.step);
  const isLast = () => app.place.step >= app.rows.length - 1 && app.place.iteration >= app.record.iterations.length - 1;

  function hidden(iteration, step) {
    const { place } = app;
    const ahead = iteration > place.iteration || (iteration === place.iteration && step >= place.step);
    return ahead && !settled.has(keyAt(iteration, step));
  }

  function show(kind, text) {
    verdict.className = `guess-verdict guess-${kind}`;
    verdict.replaceChildren(...math(text));
  }

  function settle(kind, text, first) {
    settled.set(here(), { kind, text });
    total = scored(total, first);
    app.redraw();
    if (isLast()) field.focus();
    else next.focus();
  }

  function answer() {
    const iteration = app.state ? app.computed.iterations[app.place.iteration] : null;
    const found = judge(iteration ? app.state : null, iteration, app.row, field.value);
    if (found.verdict === "right") return settle("right", found.text, tries === 0);
    if (found.verdict !== "unreadable") tries += 1;
    show(found.verdict, found.text);
    field.select();
  }

  function goOn() {
    const { iteration, step } = app.place;
    if (isLast()) return;
    app.go(step < app.rows.length - 1 ? { step: step + 1 } : { iteration: iteration + 1, step: 0 });
    field.focus();
  }

  function draw() {
    if (!details.open || !app.row) return;
    if (state !== app.state) {
      // other numbers: what was seen before is open again
      [state, settled, at] = [app.state, new Map(), null];
    }
    if (at !== here()) {
      [at, tries] = [here(), 0];
      field.value = "";
      const known = settled.get(at);
      show(known?.kind ?? "open", known?.text ?? "");
    }
    const known = settled.get(at);
    if (known) show(known.kind, known.text);
    question.replaceChildren(...math(`Iteration ${app.row.iteration}, step ${app.place.step + 1}: ${app.row.symbol} = ?`));
    field.readOnly = check.disabled = reveal.disabled = Boolean(known);
    next.disabled = isLast();
    score.textContent = scoreText(total);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (settled.has(here())) goOn();
    else answer();
  });
  reveal.addEventListener("click", () => settle("revealed", "The value is shown above.", false));
  next.addEventListener("click", goOn);
  field.addEventListener("keydown", (event) => event.stopPropagation()); // arrows move in the text, not through the steps
  details.addEventListener("toggle", () => {
    app.hidden = details.open ? hidden : null;
    app.redraw();
  });
  app.hidden = null;
  app.subscribe(draw);
}
