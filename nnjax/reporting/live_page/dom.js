// Helpers that build the page: elements, subscripts and superscripts, short numbers, plain tables.
//
//   $("card").append(html("p", {class: "muted"}, ...math("w_a1 × x1")));

export const $ = (id) => document.getElementById(id);

// Text is always set as text, so that a name cannot become markup.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity));
  return element;
}
export const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

export const minus = (text) => text.replaceAll("-", "−");

// A function that returns an element's inner width. To ask the browser while a step is drawn would lay the page out several
// times, so that the width is asked for only when it has changed, and while the element is not shown.
export function widthOf(element, changed) {
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width) return;
    width = element.clientWidth;
    if (width) changed();
  }).observe(element);
  return () => (width ||= element.clientWidth);
}

// A number in few digits, for drawings: 0.000151036.
export function short(value, digits = 6) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e6) return minus(String(Number(value.toPrecision(digits))));
  const text = value.toExponential(digits - 1);
  return minus(text.replace(/\.?0+e/, "e").replace("e+", "e"));
}

// All digits of a number.
export const full = (value) =>
  value === null || value === undefined || !Number.isFinite(value) ? "not finite" : minus(String(value));

export const clip = (name, length) => (name.length > length ? `${name.slice(0, length - 1)}…` : name);

const SUBSCRIPT = /^([∂Δ]?\p{L})_([\p{L}\p{Nd}]+(?:[.,]\p{Nd}+)*)/u; // w_a1: a letter, perhaps with ∂ or Δ before it, its index
const EXPONENT = /^\^(−?(?:\p{L}_[\p{L}\p{Nd}]+(?:[.,]\p{Nd}+)*|[\p{L}\p{Nd}.]+))/u; // ^−z_a, ^0.25
const WORD = /^[\p{L}\p{N}_∂Δ]+/u;

// The text in brackets at the start of "(…)…", without the brackets; null if they do not close.
function bracketedText(text) {
  let open = 0;
  for (let end = 0; end < text.length; end += 1) {
    open += { "(": 1, ")": -1 }[text[end]] ?? 0;
    if (open === 0) return text.slice(1, end);
  }
  return null;
}

// "e^−z_a" as [["text", "e"], ["sup", [["text", "−z"], ["sub", "a"]]]].
export function mathParts(text) {
  const parts = [];
  const add = (written) => {
    if (parts.at(-1)?.[0] === "text") parts.at(-1)[1] += written;
    else parts.push(["text", written]);
  };
  for (let rest = text; rest; ) {
    const subscript = rest.match(SUBSCRIPT);
    const exponent = rest.match(EXPONENT)?.[1] ?? (rest.startsWith("^(") ? bracketedText(rest.slice(1)) : null);
    if (subscript) {
      add(subscript[1]);
      parts.push(["sub", subscript[2]]);
      rest = rest.slice(subscript[0].length);
    } else if (exponent) {
      parts.push(["sup", mathParts(exponent)]);
      rest = rest.slice(exponent.length + (rest[1] === "(" ? 3 : 1));
    } else {
      const step = rest.match(WORD)?.[0] ?? rest[0];
      add(step);
      rest = rest.slice(step.length);
    }
  }
  return parts;
}

const toElements = (parts) =>
  parts.map(([kind, content]) => {
    if (kind === "text") return content;
    return html(kind, {}, ...(typeof content === "string" ? [content] : toElements(content)));
  });

// A formula with its subscripts and superscripts, as children for `html`.
export const math = (text) => toElements(mathParts(text));

// A table of plain cells; the columns from number `numeric` on are numbers.
export function plainTable(heads, body, numeric = 1) {
  const kind = (index) => ({ class: index >= numeric ? "number" : null });
  const head = heads.map((text, index) => html("th", { scope: "col", ...kind(index) }, text));
  const rows = body.map((cells) => html("tr", {}, ...cells.map((cell, index) => html("td", kind(index), ...[cell].flat()))));
  return html("table", {}, html("thead", {}, html("tr", {}, ...head)), html("tbody", {}, ...rows));
}
