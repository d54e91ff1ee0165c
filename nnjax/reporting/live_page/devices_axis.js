// The axis of time of two devices: a lane for each device and each direction of the link, and the moment that is shown.
//
//   const axis = drawAxis(scene, names, width);        // {element, update}
//   axis.update(0.02);                                 // moves the line of the moment

import { svg } from "./dom.js";
import { timeText } from "./devices_words.js";

const AXIS_LANES = [["a", "Device A"], ["ab", "A → B"], ["ba", "B → A"], ["b", "Device B"]];
const LANE_HEIGHT = 26; // of a lane
const LANE_GAP = 8;
const AXIS_TOP = 8;
const AXIS_NARROW = 560;
const LANE_LETTER = 8; // px of a letter of a segment's name, at most

const SEGMENT_KINDS = {
  forward: "forward pass",
  backward: "backward pass",
  train: "training steps",
  redo: "steps done again",
  send: "sending",
  travel: "on its way, or setting up",
  timeout: "no answer: timeout",
  again: "sent again",
  restart: "restart",
  wait: "waiting",
};
const SEGMENT_CLASS = { call: "travel" };
const classOf = (kind) => SEGMENT_CLASS[kind] ?? kind;

// Round numbers of seconds, at most `most` of them, from 0 to the end.
export function ticksOf(end, most) {
  const rough = end / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => end / one <= most);
  return Array.from({ length: Math.floor(end / step + 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

const geometryOf = (width) => {
  const narrow = width < AXIS_NARROW;
  const head = narrow ? 15 : 0;
  return { narrow, head, left: narrow ? 8 : 84, right: width - 14, pitch: LANE_HEIGHT + LANE_GAP + head };
};

// Where the axis lies in a drawing of this width, for a slider below it.
export function axisSpan(width) {
  const { left, right } = geometryOf(width);
  return [left, right];
}

export function drawAxis(scene, names, width) {
  const { narrow, head, left, right, pitch } = geometryOf(width);
  const place = (time) => left + (time / scene.end) * (right - left);
  const bottom = AXIS_TOP + AXIS_LANES.length * pitch;
  const parts = [];
  for (const time of ticksOf(scene.end, Math.max(2, Math.floor((right - left) / 80)))) {
    const x = place(time);
    const anchor = x > right - 24 ? "end" : x < left + 20 && narrow ? "start" : "middle";
    parts.push(svg("line", { class: "dev-tick", x1: x, x2: x, y1: AXIS_TOP, y2: bottom }));
    const label = { class: "dev-tick-text", x: anchor === "end" ? right + 12 : x, y: bottom + 16, "text-anchor": anchor };
    parts.push(svg("text", label, timeText(time)));
  }
  AXIS_LANES.forEach(([lane, title], index) => {
    const y = AXIS_TOP + index * pitch + head;
    const label = narrow ? { x: left, y: y - 4 } : { x: left - 8, y: y + LANE_HEIGHT / 2 + 4, "text-anchor": "end" };
    parts.push(svg("text", { class: "dev-lane", ...label }, title));
    parts.push(svg("rect", { class: "dev-track", x: left, y, width: right - left, height: LANE_HEIGHT }));
    for (const one of scene.lanes[lane]) parts.push(drawSegment(one, place, y, names));
    for (const one of scene.lanes[lane]) if (one.start === one.end) parts.push(drawCross(one, place, y));
  });
  const update = scene.failure ? null : svg("line", { class: "dev-update", x1: right, x2: right, y1: AXIS_TOP, y2: bottom });
  const line = svg("line", { y1: AXIS_TOP - 6, y2: bottom + 2 });
  const now = svg("g", { class: "dev-now" }, line, svg("path", { d: `M-6 ${AXIS_TOP - 8}h12l-6 8z` }));
  const height = bottom + 24;
  const element = svg(
    "svg",
    { class: "dev-drawn", width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summaryOf(scene) },
    ...parts,
    ...(update ? [update] : []),
    now,
  );
  const timeAt = (x) => Math.min(scene.end, Math.max(0, ((x - left) / (right - left)) * scene.end));
  return { element, update: (time) => now.setAttribute("transform", `translate(${place(time)} 0)`), timeAt };
}

function drawSegment(one, place, y, names) {
  const [x, end] = [place(one.start), place(one.end)];
  const kind = classOf(one.kind);
  const size = end - x;
  const title = one.layers.length > 1 ? "all" : (names[one.layers[0]] ?? "").replace(/^layer /, "");
  const named = ["forward", "backward", "send"].includes(one.kind) && title !== "" && size > title.length * LANE_LETTER + 6;
  const box = svg("rect", { class: `dev-${kind}`, x, y, width: Math.max(size, 0.75), height: LANE_HEIGHT });
  const word = named && svg("text", { class: `dev-in dev-in-${kind}`, x: x + size / 2, y: y + LANE_HEIGHT / 2 + 4 }, title);
  return svg("g", {}, box, ...(word ? [word] : []));
}

function drawCross(one, place, y) {
  const [x, middle] = [place(one.start), y + LANE_HEIGHT / 2];
  const d = `M${x - 6} ${middle - 6}l12 12m0 -12l-12 12`;
  return svg("g", {}, svg("path", { class: "dev-cross-halo", d }), svg("path", { class: "dev-cross", d }));
}

function summaryOf(scene) {
  const [a, b] = scene.idle.map((share) => Math.round(100 * share));
  const name = `Axis of time, ${timeText(scene.end)}`;
  if (scene.failure) return `${name}: training since the snapshot, failure, restart, the lost steps again`;
  return `${name}: a step; device A idle ${a} %, device B idle ${b} %`;
}

// The kinds of segments that a scene has, with their words, in the order of SEGMENT_KINDS.
export function legendOf(scene) {
  const used = new Set(Object.values(scene.lanes).flat().map(({ kind }) => classOf(kind)));
  return Object.entries(SEGMENT_KINDS).filter(([kind]) => used.has(kind));
}
