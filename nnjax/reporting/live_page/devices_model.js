// A step of two devices on an axis of time: what each device and each direction of the link does when.
//
//   const scene = stepScene(settings, [{name: "a", neurons: 1, inputs: 3, weights: 4}]);
//   scene.lanes.a[0]                  // {kind: "forward", layer: 0, start: 0, end: 0.0017}
//   laneAt(scene.lanes.ab, 0.02)      // what device A sends after 20 ms
//
// Layers are counted from 0, the first hidden layer. Times come from step_model.js, in seconds.

import { roundTripOf, windowOf } from "./link_model.js";
import { LINKS } from "./link_presets.js";
import { BACKWARD_SHARE, predictStep, stepTimeline, utilisationOf } from "./step_model.js";
import { dalyInterval, snapshotGoodput, timeBetweenFailures } from "./step_model.js";

export const ORDERS = {
  layers: "layer by layer, beside the backward pass",
  after: "layer by layer, after the backward pass",
  one: "all layers at once, after the backward pass",
  neurons: "neuron averaging: the layer below waits",
};
export const EVENTS = { none: "nothing is lost", packet: "one packet is lost", failure: "device B fails" };
const DUPLICATES = 3; // answers that repeat themselves until TCP sends a packet again: RFC 5681, section 3.2

export const deviceDefaults = () => ({
  preset: "ethernet_1g", transport: "tcp", bandwidth: 1e9, latency: 50e-6, loss: 0, bytes: 4, scale: 1e5, layerTime: 5e-3,
  slower: 1, order: "layers", event: "none", lostLayer: 0, lostShare: 0.5, failShare: 0.5, age: 5000, restart: 60, saving: 1,
  hours: 10_000,
});

// The settings with a preset's link.
export function withPreset(settings, preset) {
  const { transport, bandwidth, latency, loss } = LINKS[preset];
  return { ...settings, preset, transport, bandwidth, latency, loss };
}

export function linkOfSettings({ preset, transport, bandwidth, latency, loss }) {
  return { ...LINKS[preset], transport, bandwidth, latency, loss };
}

// What crosses the link, in the order of sending: {layers, size in bytes, ready: share of the backward pass}. The scale
// multiplies a layer's weights, and so its neurons and inputs by its root. Neuron averaging sends the mean error terms of a
// layer's neurons and the means of its inputs, as exchange.py does.
function messagesOf({ order, bytes, scale }, layers) {
  const size = (count) => Math.round(count * bytes);
  const last = layers.map((_, index) => layers.length - 1 - index);
  if (order === "one") {
    return [{ layers: last, size: size(scale * layers.reduce((sum, layer) => sum + layer.weights, 0)), ready: 1 }];
  }
  return last.map((index, place) => {
    const { weights, neurons, inputs } = layers[index];
    const count = order === "neurons" ? Math.sqrt(scale) * (neurons + inputs) : scale * weights;
    return { layers: [index], size: size(count), ready: (place + 1) / layers.length };
  });
}

// One packet of a message is lost: packet number `share` · packets of the first round. How much longer the message takes by its
// transport, as nnjax.interconnect.transport describes it. A packet takes `each` seconds; `after` packets follow the lost one.
//   TCP sends it again after three answers that repeat themselves (fast retransmit), else after a timeout;
//   selective repeat sends it again once a later packet has arrived, go-back-N with all that were on their way behind it (its
//   window), go-back-0 starts the message again. Without a later packet, all but go-back-0 wait for the timeout.
export function lostPacket(link, exchange, share) {
  const packets = exchange.packets / exchange.rounds;
  if (packets < 1) return null;
  const number = Math.min(packets, Math.max(1, Math.ceil(share * packets)));
  const after = packets - number;
  const each = exchange.transfer / exchange.packets;
  const found = (how, seconds, again) => {
    return { number, packets, after, each, how, again, seconds: Math.max(seconds, again * each) };
  };
  if (link.transport === "go_back_0") return found("restart", number * each, number);
  const answers = link.transport === "tcp" ? DUPLICATES : 1;
  if (after < answers) return found("timeout", link.timeout + (1 - after) * each, 1);
  if (link.transport === "go_back_n") {
    const window = windowOf(link);
    return found("go back", window * each, Math.min(window, after + 1));
  }
  return found("fast", roundTripOf(link) + (answers + 1 - after) * each, 1);
}

// Steps in which every layer's backward pass waits for the exchange of the layer above.
function waitingStep(sizes, link, alone) {
  const base = predictStep(sizes, sizes.map(() => 1), link, alone, false);
  return (extra) => {
    const share = (BACKWARD_SHARE * base.computing) / sizes.length;
    let free = (1 - BACKWARD_SHARE) * base.computing;
    const spans = base.exchanges.map((one, index) => {
      const start = free + share;
      free = start + one.time + extra[index];
      return [start, free];
    });
    return { ...base.line, backward: spans.at(-1)[0], spans, end: free };
  };
}

function exchangeSegments(exchange, [start, end], message, lost) {
  const { overhead, latency, transfer, rounds, size } = exchange;
  const segments = [];
  let time = start;
  const add = (kind, seconds, more = {}) => {
    if (seconds > 0) segments.push({ kind, layers: message.layers, start: time, end: time + seconds, size, ...more });
    time += seconds;
  };
  add("call", overhead);
  for (let round = 1; round <= rounds; round += 1) {
    add("send", transfer / rounds, { round });
    if (lost && round === 1) {
      const at = start + overhead + lost.number * lost.each;
      segments.push({ kind: "lost", layers: message.layers, start: at, end: at, size, round });
      add(lost.how === "timeout" ? "timeout" : "again", lost.seconds, { round, lost });
    }
    add("travel", latency / rounds, { round });
  }
  if (segments.length) segments.at(-1).end = end;
  return segments;
}

function deviceSegments(alone, layers, line, messages, waits) {
  const segments = [];
  const count = layers.length;
  const add = (kind, start, end, ...touched) => end > start && segments.push({ kind, start, end, layers: touched });
  const forward = ((1 - BACKWARD_SHARE) * alone) / count;
  const backward = (BACKWARD_SHARE * alone) / count;
  let time = 0;
  for (let layer = 0; layer < count; layer += 1) {
    add("forward", time, time + forward, layer);
    time += forward;
  }
  for (let place = 0; place < count; place += 1) {
    if (waits && place > 0) {
      const done = line.spans[place - 1][1];
      add("wait", time, done);
      time = done;
    }
    add("backward", time, time + backward, count - 1 - place);
    time += backward;
  }
  add("wait", time, line.end);
  return segments;
}

// A step with the layers' {neurons, inputs, weights}. `endless` where a message never arrives.
function stepScene(settings, layers) {
  const link = linkOfSettings(settings);
  const messages = messagesOf(settings, layers);
  const sizes = messages.map(({ size }) => size);
  const one = settings.layerTime * layers.length;
  const alone = [one, one * settings.slower];
  const waits = settings.order === "neurons";
  const beside = settings.order === "layers";
  const shares = messages.map(({ ready }) => ready);
  const plain = predictStep(sizes, shares, link, alone, beside);
  const { exchanges, computing } = plain;
  const place = Math.max(0, messages.findIndex(({ layers: some }) => some.includes(settings.lostLayer)));
  const lost = settings.event === "packet" ? lostPacket(link, exchanges[place], settings.lostShare) : null;
  const timed = (gone) => {
    const extra = exchanges.map((_, index) => (gone && index === place ? gone.seconds : 0));
    if (waits) return waitingStep(sizes, link, alone)(extra);
    const placed = exchanges.map(({ time }, i) => ({ seconds: time + extra[i], backward: true, share: shares[i] }));
    return stepTimeline(computing, placed, beside);
  };
  const [line, undisturbed] = [timed(lost), timed(null)];
  const found = {
    settings, link, messages, exchanges, lost, line, computing, alone, waits, end: line.end, undisturbed: undisturbed.end,
    endless: !Number.isFinite(line.end),
    communicating: plain.communicating, exposed: line.end - computing,
    idle: alone.map((seconds) => 1 - utilisationOf(seconds, line.end)),
  };
  if (found.endless) return { ...found, lanes: null, moments: [0] };
  const wire = exchanges.map((one, index) => [one, line.spans[index], messages[index], index === place ? lost : null]);
  const lanes = {
    a: deviceSegments(alone[0], layers, line, messages, waits),
    ab: wire.flatMap((one) => exchangeSegments(...one)),
    ba: wire.flatMap((one) => otherWay(...one)),
    b: deviceSegments(alone[1], layers, line, messages, waits),
  };
  return { ...found, lanes, moments: momentsOf(lanes, line.end) };
}

// The other direction carries as much; it waits where a packet of the first one is sent again.
const otherWay = (exchange, span, message, lost) =>
  exchangeSegments(exchange, span, message, lost)
    .filter(({ kind }) => kind !== "lost")
    .map((one) => (one.lost ? { ...one, kind: "wait" } : one));

// A failure of device B in a step: all since the last snapshot is done again.
function failureScene(settings, layers) {
  const step = stepScene({ ...settings, event: "none" }, layers);
  const { age, failShare, restart, saving, hours } = settings;
  const lostWork = (age + failShare) * step.end;
  const meanTime = timeBetweenFailures(hours, 2);
  const interval = dalyInterval(saving, meanTime);
  const end = 2 * lostWork + restart;
  const row = (device) =>
    [
      { kind: "train", start: 0, end: lostWork },
      { kind: device === "b" ? "restart" : "wait", start: lostWork, end: lostWork + restart },
      { kind: "redo", start: lostWork + restart, end },
    ].filter((one) => one.end > one.start).map((one) => ({ ...one, layers: [] }));
  const failed = { kind: "failed", start: lostWork, end: lostWork, layers: [] };
  const wire = row("a").map((one) => ({ ...one, kind: one.kind === "wait" ? "silent" : one.kind }));
  const endless = !Number.isFinite(end);
  const lanes = endless ? null : { a: row("a"), ab: wire, ba: wire, b: [...row("b"), failed] };
  return {
    ...step, settings, failure: { lostWork, restart, delay: lostWork + restart, meanTime, interval, failedAt: lostWork },
    goodput: snapshotGoodput(interval, saving, restart, meanTime),
    end, endless, lanes, stepTime: step.end, moments: endless ? [0] : momentsOf(lanes, end),
  };
}

export const sceneOf = (settings, layers) => (settings.event === "failure" ? failureScene : stepScene)(settings, layers);

// The moments at which something begins or ends, in order; those of rounding apart count as one.
function momentsOf(lanes, end) {
  const times = Object.values(lanes).flat().flatMap((one) => [one.start, one.end]);
  const sorted = [0, ...times, end].sort((one, other) => one - other);
  return sorted.filter((time, index) => index === 0 || time - sorted[index - 1] > 1e-9 * end);
}

// The segment of a lane at a moment, null between two. At the moment where one ends, the next has begun.
export const laneAt = (lane, time) => lane.find(({ start, end }) => start <= time && time < end) ?? null;

// When the exchange of a layer has ended, for all its weights; null where it never does.
export function exchangedAt(scene, layer) {
  const place = scene.messages.findIndex(({ layers }) => layers.includes(layer));
  return scene.line.spans[place]?.[1] ?? null;
}

// When a device has the gradients of a layer.
export function backwardEnd(scene, device, layer) {
  return scene.lanes[device].find((one) => one.kind === "backward" && one.layers[0] === layer)?.end ?? Infinity;
}
