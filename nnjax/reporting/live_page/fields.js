// Fields of the editor: a number that is typed, stepped by ↑ and ↓ or dragged by its handle, and a choice.
//
//   const field = numberField("learning rate", {change: (value) => app.change(withRate(app.state, value), "rate")});
//   field.set(-0.6);                     // leaves the text alone while a person types in it
//   root.append(field.element);

import { html } from "./dom.js";
import { readNumber, stepFrom, stepSize } from "./edits.js";

const FIELD_PIXELS = 4; // of a drag for one step

// `whole`: only whole numbers, in steps of 1.
export function numberField(name, { change, done = () => {}, whole = false, least = -Infinity, most = Infinity }) {
  const input = html("input", {
    ...{ type: "text", inputmode: "decimal", class: "number-field", autocomplete: "off", spellcheck: "false" },
    ...{ role: "spinbutton", "aria-label": name, title: `${name}: type, press ↑ or ↓, or drag sideways` },
    ...(Number.isFinite(least) ? { "aria-valuemin": least } : {}),
    ...(Number.isFinite(most) ? { "aria-valuemax": most } : {}),
  });
  let value = 0;
  let drag = null;
  const show = () => (input.value = String(value));
  const put = (next) => {
    if (next === null || next < least || next > most || (whole && !Number.isInteger(next))) return false;
    if (next !== value) change(next);
    return true;
  };
  const stepped = (from, steps) => (whole ? Math.max(least, Math.min(most, from + steps)) : stepFrom(from, steps));
  input.addEventListener("input", () => input.setAttribute("aria-invalid", String(!put(readNumber(input.value)))));
  input.addEventListener("blur", () => {
    show();
    input.removeAttribute("aria-invalid");
    done();
  });
  input.addEventListener("keydown", (event) => {
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (steps) {
      put(stepped(value, steps * (event.shiftKey ? 10 : 1)));
      show();
    } else if (event.key === "Enter") {
      show();
      input.select();
    } else return;
    event.preventDefault();
  });
  input.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && document.activeElement !== input) drag = { from: event.clientX, value, moved: false };
  });
  input.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const steps = Math.trunc((event.clientX - drag.from) / FIELD_PIXELS);
    if (!steps && !drag.moved) return;
    if (!drag.moved) input.setPointerCapture(event.pointerId);
    drag.moved = true;
    put(whole ? stepped(drag.value, steps) : stepFrom(drag.value, steps, stepSize(drag.value)));
    show();
    event.preventDefault();
  });
  const stop = () => {
    if (drag?.moved) done();
    drag = null;
  };
  input.addEventListener("pointerup", stop);
  input.addEventListener("pointercancel", stop);
  return {
    element: input,
    set(next) {
      value = next;
      input.setAttribute("aria-valuenow", String(next));
      const typing = document.activeElement === input && readNumber(input.value) !== null;
      if (!(typing && readNumber(input.value) === next) && (document.activeElement !== input || typing)) show();
    },
  };
}

// A choice of `options`, a list of [value, text].
export function choiceField(name, options, change) {
  const choices = options.map(([value, label]) => html("option", { value }, label));
  const select = html("select", { "aria-label": name }, ...choices);
  select.addEventListener("change", () => change(select.value));
  return { element: select, set: (value) => (select.value = value) };
}

export function actionButton(text, name, act) {
  const button = html("button", { type: "button", "aria-label": name, title: name }, text);
  button.addEventListener("click", act);
  return button;
}
