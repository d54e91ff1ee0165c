// The drawing of a chain rule (as Figure 2-5): the weight and the functions in a row, the factors of the gradient between them.
//
//   box.replaceChildren(chainFigure(chain, 2, 900));        // the second factor from the error lights up; 0: none

import { mathParts, short, svg } from "./dom.js";

const PITCH = 118; // px that a box and the arrows beside it need; with less, the boxes stand one below the other

// A formula as parts of an SVG text: subscripts lower and smaller.
function mathSpans(text) {
  const spans = [];
  let [shift, size] = [0, 1];
  const add = (content, wanted, scale) => {
    const dy = wanted === shift ? null : `${(wanted - shift) / scale}em`;
    spans.push(svg("tspan", { dy, "font-size": scale === size && scale === 1 ? null : `${scale}em` }, content));
    [shift, size] = [wanted, scale];
  };
  for (const [kind, content] of mathParts(text)) {
    if (kind === "text") add(content, 0, 1);
    else if (kind === "sub") add(content, 0.25, 0.75);
    else add(content.map(([, inner]) => inner).join(""), -0.35, 0.75);
  }
  return spans;
}

const label = (x, y, className, text, anchor = "middle") =>
  svg("text", { x, y, class: className, "text-anchor": anchor }, ...mathSpans(text));

function arrow(x1, y1, x2, y2, className) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  const [dx, dy] = [(x2 - x1) / length, (y2 - y1) / length];
  const point = (along, across) => `${x2 - dx * along - dy * across} ${y2 - dy * along + dx * across}`;
  return svg("path", { class: className, d: `M${x1} ${y1}L${point(2, 0)}M${point(9, 5)}L${point(0, 0)}L${point(9, -5)}` });
}

// The boxes: the weight, then the functions. Factor number i, from 1 at the error, belongs to the i-th gap from the end.
function boxesOf(chain, value) {
  const first = { symbol: chain.symbol, note: "weight", text: value(chain.weight), kind: "weight" };
  const notes = { sum: () => "weighted sum", activation: ({ name }) => name, error: () => "error" };
  const others = chain.functions.map((one) => ({
    symbol: one.symbol,
    note: notes[one.kind](one),
    text: value(one.value),
    kind: one.kind,
  }));
  return [first, ...others];
}

// A chain of `chainOf` as an SVG element. With `hide`, values are written as "?".
export function chainFigure(chain, lit, width, hide = false) {
  const value = (number) => (hide ? "?" : short(number, 4));
  const boxes = boxesOf(chain, value);
  const down = width / boxes.length < PITCH;
  const pitch = down ? 92 : Math.min(170, (width - 8) / boxes.length);
  const [w, h] = down ? [104, 52] : [Math.min(96, pitch - 40), 58];
  const left = down ? 4 : 4 + (pitch - w) / 2;
  const at = (index) => (down ? { x: left, y: 4 + index * pitch } : { x: left + index * pitch, y: 8 });
  const factors = [...chain.factors].reverse();
  const parts = boxes.map((box, index) => {
    const { x, y } = at(index);
    const reached = lit === 0 || boxes.length - 1 - index <= lit ? " chain-on" : "";
    return svg(
      "g",
      {},
      svg("rect", { x, y, width: w, height: h, rx: box.kind === "weight" ? 20 : 6, class: `chain-box${reached}` }),
      label(x + w / 2, y + 19, "chain-name", box.symbol),
      label(x + w / 2, y + 34, "chain-note", box.note),
      label(x + w / 2, y + h - 6, "chain-value", box.text),
    );
  });
  factors.forEach((factor, index) => {
    const [from, to] = [at(index), at(index + 1)];
    const number = factors.length - index;
    const now = number === lit ? " chain-now" : lit === 0 || number < lit ? " chain-on" : "";
    const many = chain.folded && factor.kind === "sum" ? ` (${chain.count} paths)` : "";
    if (down) {
      const [one, other] = [from.x + w * 0.28, from.x + w * 0.72];
      parts.push(arrow(one, from.y + h, one, to.y, "chain-forward"));
      parts.push(arrow(other, to.y, other, from.y + h, `chain-back${now}`));
      const [x, y] = [from.x + w + 10, (from.y + h + to.y) / 2 + 4];
      parts.push(label(x, y, `chain-factor${now}`, `${factor.symbol} = ${value(factor.value)}`, "start"));
      if (many) parts.push(label(x, y + 16, "chain-note", many.trim(), "start"));
      return;
    }
    const middle = (from.x + w + to.x) / 2;
    parts.push(arrow(from.x + w, from.y + h * 0.36, to.x, from.y + h * 0.36, "chain-forward"));
    parts.push(arrow(to.x, from.y + h * 0.74, from.x + w, from.y + h * 0.74, `chain-back${now}`));
    parts.push(label(middle, from.y + h + 20, `chain-factor${now}`, factor.symbol));
    parts.push(label(middle, from.y + h + 38, `chain-factor${now}`, `${value(factor.value)}${many}`));
  });
  const size = down ? [Math.max(width, 300), boxes.length * pitch - pitch + h + 10] : [pitch * boxes.length + 8, h + 56];
  const spoken = chain.factors.map((factor) => `${factor.symbol} = ${value(factor.value)}`).join(", ");
  return svg(
    "svg",
    {
      ...{ width: size[0], height: size[1], viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img", class: "chain-svg" },
      "aria-label": `From ${chain.symbol} to the error: ${boxes.map((box) => box.symbol).join(", ")}. Factors: ${spoken}`,
    },
    ...parts,
  );
}
