// What the panel of two devices says: times, rates and sizes with units, and what happens at a moment.
//
//   timeText(0.0133)                  // "13.3 ms"
//   momentText(scene, 0.02, names)    // {a: "waiting", ab: "sending gradients of layer a, round 1 of 2", …}

import { minus } from "./dom.js";
import { laneAt } from "./devices_model.js";

// Below so many seconds, in units of so many.
const TIME_UNITS = [
  [1e-6, 1e-9, "ns"],
  [1e-3, 1e-6, "µs"],
  [1, 1e-3, "ms"],
  [600, 1, "s"],
  [7200, 60, "min"],
  [172_800, 3600, "h"],
];

// Digits that a reader can take in; large numbers in groups of three.
export function inDigits(value, digits = 4) {
  const rounded = Number(value.toPrecision(digits));
  const size = Math.abs(rounded);
  if (size !== 0 && (size < 1e-4 || size >= 1e12)) return minus(rounded.toExponential().replace("+", ""));
  return minus(rounded.toLocaleString("en", { maximumSignificantDigits: digits })).replaceAll(",", "\u202f");
}

export function timeText(seconds, digits = 4) {
  if (!Number.isFinite(seconds)) return "for ever";
  if (seconds === 0) return "0 s";
  const [, size, unit] = TIME_UNITS.find(([below]) => Math.abs(seconds) < below) ?? [0, 86_400, "days"];
  return `${inDigits(seconds / size, digits)} ${unit}`;
}

function prefixed(value, unit) {
  const power = value > 0 ? Math.min(4, Math.max(0, Math.floor(Math.log10(value) / 3))) : 0;
  return `${inDigits(value / 1000 ** power)} ${["", "k", "M", "G", "T"][power]}${unit}`;
}
export const sizeText = (bytes) => (bytes < 1000 ? `${inDigits(bytes)} bytes` : prefixed(bytes, "B"));
export const rateText = (bits) => prefixed(bits, "b/s");
export const shareText = (share, digits = 3) => `${inDigits(100 * share, digits)} %`;

// A segment touches one layer or all.
const layersText = (layers, names) => (layers.length > 1 ? "all layers" : names[layers[0]]);

const DEVICE_WORDS = {
  forward: (layers) => `forward pass of ${layers}`,
  backward: (layers) => `backward pass of ${layers}`,
  wait: () => "waiting",
  train: () => "training",
  restart: () => "restart from the snapshot",
  redo: () => "lost steps done again",
};

const LINK_WORDS = {
  call: () => "setting up the exchange",
  send: (layers, { round }) => `sending gradients of ${layers}, round ${round} of 2`,
  travel: (layers, { round }) => `the last bits of ${layers} are on their way, round ${round} of 2`,
  again: (layers, { lost }) => againText(lost),
  timeout: () => "no answer: waiting for the timeout, then the lost packet is sent again",
  wait: () => "waiting for the lost packet",
  train: () => "gradients of every step",
  redo: () => "gradients of every step",
  silent: () => "silent",
};

const packetsText = (count) => (count === 1 ? "1 packet" : `${inDigits(count)} packets`);

// What a lost packet makes the transport do.
function againText({ how, again, number }) {
  if (how === "timeout") return "no answer comes back: after the timeout, it is sent again";
  if (how === "restart") return `the message starts again: ${packetsText(number)} once more`;
  if (how === "go back") return `it and all packets behind it are sent again: ${packetsText(again)}`;
  return "answers to later packets show the gap: it is sent again";
}

export function momentText(scene, time, names) {
  const words = (table, lane, end, idle) => {
    const one = laneAt(scene.lanes[lane], time);
    if (one === null) return time >= scene.end ? end : idle;
    return table[one.kind](layersText(one.layers, names), one);
  };
  const done = scene.failure ? "back where the failure was" : "update of the weights";
  return {
    a: words(DEVICE_WORDS, "a", done, "waiting"),
    b: words(DEVICE_WORDS, "b", done, "waiting"),
    ab: words(LINK_WORDS, "ab", "silent", "silent"),
    ba: words(LINK_WORDS, "ba", "silent", "silent"),
  };
}

export function momentSentence(scene, time, names) {
  const { a, b, ab, ba } = momentText(scene, time, names);
  const link = ab === ba ? `link: ${ab}` : `A to B: ${ab}; B to A: ${ba}`;
  return `${timeText(time)}: ${a === b ? `both devices: ${a}` : `device A: ${a}; device B: ${b}`}; ${link}.`;
}

// What the step says about its link, in sentences.
export function sceneSentences(scene) {
  if (scene.endless) return ["With this loss a message never arrives, so that the step never ends."];
  if (scene.failure) {
    const { lostWork, restart, delay, meanTime, interval } = scene.failure;
    return [
      `Device B fails ${timeText(lostWork)} after the snapshot. Device A cannot go on without its gradients, so both start ` +
        `again: ${timeText(restart)} for the restart, and ${timeText(lostWork)} of work twice. ` +
        `The failure costs ${timeText(delay)}.`,
      `One of two devices fails every ${timeText(meanTime)} on average. Best time between two snapshots (Daly): ` +
        `${timeText(interval)}; then ${shareText(scene.goodput, 5)} of the time advances the training.`,
    ];
  }
  const { exposed, communicating, end, undisturbed, lost, settings } = scene;
  const hidden = Math.max(0, communicating + (end - undisturbed) - exposed);
  const lines = [];
  if (settings.order === "neurons") {
    lines.push(
      `No exchange runs beside computing: each layer waits for the mean error terms of the layer above, ` +
        `${timeText(exposed)} in all. ` +
        "Mean error terms and mean inputs of a layer cross; as the weights grow, their number grows by the root.",
    );
  } else {
    lines.push(
      `Of ${timeText(communicating + end - undisturbed)} of exchanges, the backward pass hides ${timeText(hidden)}; ` +
        `the other ${timeText(exposed)} lengthen the step.`,
    );
  }
  if (lost) {
    const where = `Packet ${inDigits(lost.number, 9)} of ${inDigits(lost.packets, 9)} is lost; ${againText(lost)}.`;
    lines.push(`${where} The step takes ${timeText(end - undisturbed)} longer.`);
  }
  return lines;
}
