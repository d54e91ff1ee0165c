// Changing a number in the drawing: by dragging it sideways, by the keys ↑ and ↓, by typing over it.
//
//   makeScrub($("drawing"), $("editing"), app);        // for every element with data-edit
//
// Shift makes steps ten times as large, Alt a tenth. Escape takes a drag or what was typed back.

import { full, html } from "./dom.js";
import { attempt, editOf, readNumber, stepFrom, stepSize } from "./edits.js";

const PIXELS = 3; // of a drag for one step
const STILL = 3; // a pointer that moves less than this many pixels has clicked, not dragged

const factorOf = (event) => (event.shiftKey ? 10 : event.altKey ? 0.1 : 1);

export function makeScrub(box, line, app) {
  let drag = null;
  let typing = null;
  let told = null; // the number that the line under the drawing tells
  const put = (id, value, group) => {
    const edit = editOf(app, id);
    if (edit && edit.value !== value) attempt(app, () => edit.change(value), group);
    tell(id);
  };
  function tell(id) {
    told = id;
    const edit = id && editOf(app, id);
    const text = edit ? `${edit.name} = ${full(edit.value)}` : "";
    if (line.textContent !== text) line.textContent = text;
  }
  app.subscribe(() => tell(told));

  box.addEventListener("pointerdown", (event) => {
    const target = event.target.closest("[data-edit]");
    if (!target || event.button !== 0) return;
    const id = target.dataset.edit;
    const edit = editOf(app, id);
    if (!edit) return;
    closeTyping();
    target.focus({ preventScroll: true });
    const { value } = edit;
    drag = { id, from: event.clientX, value, size: stepSize(value), moved: false, group: `drag ${Date.now()}` };
    box.setPointerCapture(event.pointerId);
    event.preventDefault();
    tell(id);
  });
  box.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const by = event.clientX - drag.from;
    drag.moved ||= Math.abs(by) > STILL;
    if (!drag.moved) return;
    const size = drag.size * factorOf(event);
    const steps = Math.trunc(by / PIXELS);
    put(drag.id, steps ? stepFrom(drag.value, steps, size) : drag.value, drag.group);
  });
  box.addEventListener("pointerup", () => {
    if (drag && !drag.moved) type(drag.id);
    drag = null;
    app.endGroup();
  });
  box.addEventListener("pointercancel", () => (drag = null));

  box.addEventListener("focusin", (event) => {
    if (event.target.dataset.edit) tell(event.target.dataset.edit);
  });
  box.addEventListener("focusout", () => !typing && tell(null));
  box.addEventListener("keydown", (event) => {
    const { edit: id } = event.target.dataset;
    if (!id || event.ctrlKey || event.metaKey) return;
    if (event.key === "Escape" && drag) {
      put(drag.id, drag.value, drag.group);
      drag = null;
      return;
    }
    const steps = { ArrowUp: 1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (steps) {
      const { value } = editOf(app, id);
      put(id, stepFrom(value, steps, stepSize(value) * factorOf(event)), `keys ${id}`);
    } else if (event.key === "Enter") type(id);
    else if (/^[\d.,−-]$/.test(event.key)) type(id, event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // Opens a field over the number; each number typed takes effect at once.
  function type(id, start = null) {
    closeTyping();
    const target = box.querySelector(`[data-edit="${id}"]`);
    const edit = editOf(app, id);
    if (!target || !edit) return;
    const [place, frame] = [target.getBoundingClientRect(), box.getBoundingClientRect()];
    const left = Math.max(0, place.left + place.width / 2 - frame.left + box.scrollLeft - 50);
    const top = place.top + place.height / 2 - frame.top + box.scrollTop - 17;
    const at = `left: ${Math.min(left, Math.max(0, box.scrollWidth - 104))}px; top: ${Math.max(0, top)}px`;
    const field = html("input", { class: "typed", type: "text", inputmode: "decimal", "aria-label": edit.name, style: at });
    field.value = start ?? String(edit.value);
    typing = { id, field, group: `typed ${Date.now()}`, before: edit.value };
    field.addEventListener("input", readField);
    field.addEventListener("blur", closeTyping);
    field.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && typing) put(id, typing.before, typing.group);
      if (event.key !== "Escape" && event.key !== "Enter") return;
      closeTyping();
      box.querySelector(`[data-edit="${id}"]`)?.focus({ preventScroll: true });
      event.preventDefault();
      event.stopPropagation();
    });
    box.append(field);
    field.focus({ preventScroll: true });
    if (start === null) field.select();
    else readField();
  }
  function readField() {
    if (!typing) return;
    const value = readNumber(typing.field.value);
    typing.field.setAttribute("aria-invalid", String(value === null));
    if (value !== null) put(typing.id, value, typing.group);
  }
  function closeTyping() {
    if (!typing) return;
    const { field } = typing;
    typing = null; // before the field goes: its removal makes it lose the focus
    field.remove();
    app.endGroup();
  }
}
