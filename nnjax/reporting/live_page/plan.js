// The drawing's layout: a position for each node, and one on each edge for its value.
//
//   const plan = makePlan(record, 820);
//   plan.nodes.get("1:1")           // {x, y, r, name, kind: "neuron", column: 1}
//   plan.labels                     // a box for each of plan.edges; null where there is no room for all

import { edgesInto, sourceOf, targetOf } from "./words.js";

export const BAR = 100; // a column of more nodes than this is drawn as a bar
const NARROW = 620; // px; below, columns stand one below the other
const LABEL_ROUNDS = 8;
const TOUCH = 12; // px² by which boxes may overlap: less than the space around their texts

function columnsOf({ network }) {
  return [network.inputs, ...network.layers.map((layer) => layer.neurons)].map((names, column) => {
    const kind = column ? "neuron" : "input";
    const nodes = names.map((name, index) => ({ id: `${column}:${index + 1}`, name, column, kind }));
    const next = network.layers[column];
    return next?.has_bias ? [...nodes, { id: `${column}:0`, name: "1", column, kind: "bias" }] : nodes;
  });
}

function sizesFor(most) {
  if (most <= 7) return { radius: 22, line: 15, font: 13, gap: 24 };
  return most <= 13 ? { radius: 12, line: 12, font: 11, gap: 6 } : null;
}

// Lines of text below a node.
function linesBelow(record, sizes, node) {
  if (sizes === null || node.kind === "bias") return 0;
  if (node.kind === "input") return 1;
  if (node.column < record.lastLayer) return 3;
  return 4 + (record.hasProbabilities ? 1 : 0) + (record.classes ? 1 : 0);
}

// Columns stand side by side if there is room, else one below the other; a node's values stand below it.
export function makePlan(record, width) {
  const columns = columnsOf(record);
  const edgesOf = ({ neurons }, index) => neurons.flatMap((name) => edgesInto(record, index + 1, name));
  const edges = record.network.layers.flatMap(edgesOf);
  const most = Math.max(...columns.map((nodes) => nodes.length));
  const sizes = sizesFor(most);
  const down = width < NARROW;
  const few = edges.length <= 60 && record.network.layers.every((layer) => layer.neurons.length <= 12);
  const digits = edges.length <= 12 ? 6 : edges.length <= 24 ? 4 : 3;
  const plan = { columns, edges, sizes, down, few, labelDigits: digits, nodes: new Map() };
  plan.linesOf = (node) => linesBelow(record, sizes, node);
  plan.segmentOf = (edge) => segment(plan.nodes.get(sourceOf(edge)), plan.nodes.get(targetOf(record, edge)), plan);
  plan.segmentToLoss = (id) => segment(plan.nodes.get(id), plan.nodes.get("loss"), plan);
  plan.lines = sizes?.line ?? 13;
  plan.font = down && most > 4 ? 11 : Math.min(sizes?.font ?? 12, edges.length > 24 ? 11.5 : 13);
  plan.digits = digits === 6 ? 6 : down && most > 4 ? 3 : 4;
  setPositions(plan, width, record.lastLayer);
  const labels = sizes !== null && few && (!down || edges.length <= 24) ? placeLabels(edges, plan) : null;
  plan.every = labels !== null && labels.every(({ hits }) => hits < TOUCH);
  plan.labels = plan.every ? labels : null;
  return plan;
}

function setPositions(plan, width, lastLayer) {
  const { columns, sizes, down } = plan;
  const blocks = columns.map((column) => (sizes ? 2 * sizes.radius + sizes.line * Math.max(...column.map(plan.linesOf)) : 0));
  const pitches = columns.map(({ length }, index) => {
    if (sizes) return down ? 60 : blocks[index] + sizes.gap;
    return length > BAR ? 560 / length : Math.max(down ? 5 : 8, Math.min(56, 560 / length));
  });
  const lengths = columns.map((column, index) => pitches[index] * column.length);
  const across = down ? Math.max(width, ...lengths) : Math.max(440, ...lengths) + (sizes ? 16 : 40);
  const gap = down ? 120 : Math.max(150, (width - 192) / lastLayer);
  let along = down ? 34 : 48;
  columns.forEach((column, index) => {
    const used = Math.min(across / column.length, pitches[index] * 1.9);
    const below = down || !sizes ? 0 : (blocks[index] - 2 * sizes.radius) / 2;
    const start = (across - used * (column.length - 1)) / 2 - below;
    const radius = sizes?.radius ?? Math.max(1.5, Math.min(13, used * 0.42));
    column.forEach((node, order) => {
      const cross = start + used * order;
      const r = node.kind === "neuron" || sizes === null ? radius : radius * 0.8;
      plan.nodes.set(node.id, { ...node, r, x: down ? cross : along, y: down ? along : cross });
    });
    along += down ? blocks[index] + gap : gap;
  });
  const end = along - gap + (down ? (sizes ? 46 : 90) : 96);
  const [x, y] = down ? [across / 2, end] : [end, across / 2];
  plan.nodes.set("loss", { id: "loss", name: "loss", kind: "loss", r: 24, x, y });
  [plan.width, plan.height] = down ? [across, end + 34] : [Math.max(width, end + 48), across];
}

function segment(source, target, { down, sizes, lines, linesOf }) {
  if (down) return [source.x, source.y + source.r + (sizes ? linesOf(source) * lines + 4 : 0), target.x, target.y - target.r];
  const [dx, dy] = [target.x - source.x, target.y - source.y];
  const length = Math.hypot(dx, dy) || 1;
  const [ux, uy] = [dx / length, dy / length];
  return [source.x + ux * source.r, source.y + uy * source.r, target.x - ux * target.r, target.y - uy * target.r];
}

const overlap = (a, b) =>
  Math.max(0, Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x - a.w, b.x - b.w)) *
  Math.max(0, Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y - a.h, b.y - b.h));

function crosses([x1, y1, x2, y2], box) {
  for (let t = 0; t <= 1; t += 0.05) {
    if (Math.abs(x1 + t * (x2 - x1) - box.x) < box.w && Math.abs(y1 + t * (y2 - y1) - box.y) < box.h) return true;
  }
  return false;
}

// Whether two boxes are near enough to touch: fewer pairs are measured then.
const near = (a, b, reach) => Math.abs(a.x - b.x) < reach && Math.abs(a.y - b.y) < reach;

// A position on each edge for its value: away from other values and nodes, then from other edges, then near the middle.
export function placeLabels(edges, plan) {
  const [width, height] = [(plan.labelDigits + 5) * plan.font * 0.58 + 4, plan.font + 3];
  const taken = [...plan.nodes.values()].map((node) => {
    const below = plan.linesOf ? plan.linesOf(node) * plan.lines : 0;
    return { x: node.x, y: node.y + below / 2, w: Math.max(node.r, below ? 40 : 0), h: node.r + below / 2 };
  });
  const segments = edges.map(plan.segmentOf);
  const choices = segments.map(([x1, y1, x2, y2], order) =>
    Array.from({ length: 33 }, (_, index) => {
      const t = 0.1 + 0.025 * index;
      const box = { x: x1 + t * (x2 - x1), y: y1 + t * (y2 - y1), w: width / 2, h: height / 2 };
      const crossings = segments.filter((other, number) => number !== order && crosses(other, box)).length;
      const onNodes = taken.reduce((sum, node) => sum + overlap(box, node), 0);
      return { ...box, onNodes, cost: crossings * 4 + Math.abs(t - 0.5) };
    }),
  );
  const places = choices.map(() => null);
  for (let round = 0; round < LABEL_ROUNDS; round += 1) {
    // an early label may have a better position once all are placed
    choices.forEach((boxes, order) => {
      const others = places.filter((place, number) => place && number !== order);
      const costs = boxes.map((box) => {
        const close = others.filter((other) => near(box, other, 2 * width));
        const hits = box.onNodes + close.reduce((sum, other) => sum + overlap(box, other), 0);
        return { ...box, hits, cost: box.cost + hits * 10 };
      });
      places[order] = costs.reduce((best, box) => (box.cost < best.cost ? box : best));
    });
  }
  return places.map((place, order) => {
    const on = places.reduce((sum, other, number) => sum + (number === order ? 0 : overlap(place, other)), place.onNodes);
    return { ...place, hits: on };
  });
}
