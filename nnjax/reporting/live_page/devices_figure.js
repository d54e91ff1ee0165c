// The drawing of two devices: the layers of both replicas, last first, the gradients that cross between them, their average.
//
//   const figure = drawFigure(scene, numbers, names, width);       // {element, update}
//   figure.update(0.02);

import { short, svg } from "./dom.js";
import { backwardEnd, exchangedAt, laneAt } from "./devices_model.js";
import { weightSymbol } from "./format.js";

const FIGURE_NARROW = 560;
const FIGURE_HEAD = 30;
const DEVICE_ROW = 66;
const DEVICE_BOX = 52;
const WIRE_DOTS = 5;

// A symbol such as w_a1 in SVG, its index lowered.
function symbolIn(symbol) {
  const [letter, index] = symbol.split("_");
  return [letter, svg("tspan", { dy: 3, "font-size": "0.78em" }, index), svg("tspan", { dy: -3 }, " ")];
}

const middleText = (x, y, className, ...children) =>
  svg("text", { x, y, class: className, "text-anchor": "middle" }, ...children);

function setVisible(element, visible) {
  element.setAttribute("visibility", visible ? "visible" : "hidden");
}

// What the drawing shows of a layer: the gradient of its first weight, or, where neurons are averaged, its first neuron's mean
// error term; on both devices, on average, and the new weight.
function shownOf(layer, byNeuron) {
  const symbol = weightSymbol(layer.neurons[0], 1);
  const first = (one) => one.weights[0][0];
  if (!byNeuron) {
    const [a, b, mean, next] = [layer.a, layer.b, layer.average, layer.stepped].map(first);
    return { name: ["∂E/∂", symbol], a, b, mean, symbol, next };
  }
  const { delta, deltas } = layer.byNeuron;
  const [a, b] = deltas.map((one) => one[0]);
  return { name: ["mean ", `δ_${layer.neurons[0]}`], a, b, mean: delta[0], symbol, next: first(layer.steppedByNeuron) };
}

// A device's box of a layer: its name, what it has once the backward pass has reached it, its new weight at the end.
function deviceBox(x, y, width, title, { name, symbol, next: stepped }, own, narrow) {
  const box = svg("rect", { class: "dev-box", x, y, width, height: DEVICE_BOX, rx: 6 });
  const centre = x + width / 2;
  const digits = narrow ? 3 : 5;
  const [before, equals] = narrow ? ["", ""] : [name[0], "= "];
  const value = middleText(centre, y + 41, "dev-delta", before, ...symbolIn(name[1]), equals, short(own, digits));
  const next = middleText(centre, y + 41, "dev-new", "new ", ...symbolIn(symbol), equals, short(stepped, digits + 1));
  const element = svg("g", {}, box, middleText(centre, y + 20, "dev-title", title), value, next);
  const update = (state) => {
    box.setAttribute("class", `dev-box dev-box-${state}`);
    setVisible(value, ["ready", "averaged"].includes(state));
    setVisible(next, state === "updated");
  };
  return { element, update };
}

// What crosses between two boxes: dots in both directions while the link is busy with the layer.
function drawWire(left, right, y, average, narrow) {
  const line = svg("line", { class: "dev-wire", x1: left, x2: right, y1: y, y2: y });
  const dots = ["ab", "ba"].map((lane, order) => {
    const some = Array.from({ length: WIRE_DOTS }, () => svg("rect", { class: "dev-dot", width: 9, height: 9, rx: 2 }));
    return { lane, y: y + (order ? 3 : -12), some };
  });
  const lost = svg("path", { class: "dev-cross" });
  const mean = middleText((left + right) / 2, y - 8, "dev-mean", narrow ? "mean" : "average");
  const value = middleText((left + right) / 2, y + 18, "dev-mean", short(average, narrow ? 3 : 5));
  const element = svg("g", {}, line, ...dots.flatMap(({ some }) => some), lost, mean, value);
  const update = (scene, time, mine, done) => {
    let busy = false;
    for (const { lane, some, y: height } of dots) {
      const one = laneAt(scene.lanes[lane], time);
      const active = one !== null && mine(one) && (one.kind === "send" || one.kind === "travel");
      busy ||= one !== null && mine(one);
      some.forEach((dot, index) => {
        const share = active ? ((time - one.start) / (one.end - one.start) + index / WIRE_DOTS) % 1 : 0;
        const along = lane === "ab" ? share : 1 - share;
        setVisible(dot, active);
        dot.setAttribute("x", left + 2 + along * (right - left - 13));
        dot.setAttribute("y", height);
      });
    }
    const gone = laneAt(scene.lanes.ab, time);
    const missing = gone !== null && mine(gone) && (gone.kind === "again" || gone.kind === "timeout");
    setVisible(lost, missing);
    lost.setAttribute("d", `M${(left + right) / 2 - 7} ${y - 7}l14 14m0 -14l-14 14`);
    line.setAttribute("class", busy ? "dev-wire dev-wire-busy" : "dev-wire");
    for (const text of [mean, value]) setVisible(text, done && !busy);
  };
  return { element, update };
}

export function drawFigure(scene, numbers, names, width) {
  const narrow = width < FIGURE_NARROW;
  const most = Math.min(width, 760);
  const column = narrow ? Math.floor(most * 0.345) : 250;
  const start = (width - most) / 2 + 1;
  const [left, right] = [start, start + most - column - 2];
  const count = numbers.layers.length;
  const heads = ["A", "B"].map((device, index) => {
    const some = numbers.examples[index];
    const text = narrow ? `${device}: ${some} ex.` : `Device ${device}: ${some} ${some === 1 ? "example" : "examples"}`;
    return middleText([left, right][index] + column / 2, 18, "dev-head", text);
  });
  const states = [left, right].map((x) => middleText(x + column / 2, FIGURE_HEAD + count * DEVICE_ROW + 12, "dev-state"));
  const rows = numbers.layers.map((layer, place) => {
    const y = FIGURE_HEAD + place * DEVICE_ROW;
    const index = count - 1 - place;
    const shown = shownOf(layer, scene.waits);
    const boxes = [
      deviceBox(left, y, column, names[index], shown, shown.a, narrow),
      deviceBox(right, y, column, names[index], shown, shown.b, narrow),
    ];
    return { index, boxes, wire: drawWire(left + column + 6, right - 6, y + DEVICE_BOX / 2, shown.mean, narrow) };
  });
  const height = FIGURE_HEAD + count * DEVICE_ROW + 22;
  const element = svg(
    "svg",
    {
      class: "dev-drawn", width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": "Two devices with a replica of the network each, last layer first, and the gradients that cross",
    },
    ...heads,
    ...rows.flatMap((row) => [row.wire.element, ...row.boxes.map((box) => box.element)]),
    ...states,
  );

  const stateOf = (device, index, time) => {
    if (scene.failure) return "idle";
    const now = laneAt(scene.lanes[device], time);
    if (time >= scene.end) return "updated";
    if (now && now.layers.includes(index)) return "computing";
    if (time >= exchangedAt(scene, index)) return "averaged";
    return time >= backwardEnd(scene, device, index) ? "ready" : "idle";
  };
  const update = (time, moment) => {
    for (const { index, boxes, wire: between } of rows) {
      boxes.forEach((box, order) => box.update(stateOf("ab"[order], index, time)));
      const done = !scene.failure && time >= exchangedAt(scene, index);
      between.update(scene, time, ({ layers }) => layers.includes(index), done);
    }
    states[0].textContent = narrow ? oneWord(moment.a) : moment.a;
    states[1].textContent = narrow ? oneWord(moment.b) : moment.b;
  };
  return { element, update };
}

// A device's state in few letters, for a narrow drawing.
const oneWord = (text) => ({ back: "caught up", lost: "repeating" })[text.split(" ")[0]] ?? text.split(" ")[0];
