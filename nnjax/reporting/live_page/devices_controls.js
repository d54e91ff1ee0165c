// The controls of the panel of two devices: sliders with typed values and units, and choices.
//
//   const controls = makeDeviceControls((key, value) => …);
//   root.append(controls.element); controls.show(settings, layerNames);

import { html } from "./dom.js";
import { EVENTS, ORDERS } from "./devices_model.js";
import { inDigits } from "./devices_words.js";
import { LINKS } from "./link_presets.js";

// `unit` counts `size` of the setting's own unit; `low` and `high` are in that unit. A slider from 0 has 0 at its left end, and
// its logarithm from `least` on; without `least` it is even.
export const SETTING_SLIDERS = {
  bandwidth: { label: "Link speed", unit: "Mb/s", size: 1e6, low: 0.1, high: 4e6, least: 0.1 },
  latency: { label: "Delay, one way", unit: "µs", size: 1e-6, low: 0, high: 300_000, least: 0.1 },
  loss: { label: "Packets lost", unit: "%", size: 0.01, low: 0, high: 30, least: 1e-6 },
  scale: { label: "Weights, as if", unit: "× as many", size: 1, low: 1, high: 1e9, least: 1 },
  layerTime: { label: "Computing a layer", unit: "ms", size: 1e-3, low: 0.001, high: 10_000, least: 0.001 },
  slower: { label: "Device B takes", unit: "× as long", size: 1, low: 1, high: 4, step: 0.05 },
  lostShare: { label: "Place in its message", unit: "%", size: 0.01, low: 0, high: 100, step: 0.1, when: "packet" },
  age: { label: "Age of the snapshot", unit: "steps", size: 1, low: 0, high: 100_000, least: 1, when: "failure", whole: true },
  failShare: { label: "Failure in its step, at", unit: "%", size: 0.01, low: 0, high: 100, step: 0.1, when: "failure" },
  restart: { label: "Restart", unit: "s", size: 1, low: 0, high: 3600, least: 0.1, when: "failure" },
  saving: { label: "Writing a snapshot", unit: "s", size: 1, low: 0, high: 600, least: 0.01, when: "failure" },
  hours: { label: "A device fails every", unit: "h", size: 1, low: 1, high: 1e6, least: 1, when: "failure" },
};

const PRESET_NAMES = {
  nvlink: "NVLink", infiniband_400g: "InfiniBand, 400 Gb/s", roce_400g: "RoCE, 400 Gb/s", roce_100g: "RoCE, 100 Gb/s",
  ethernet_10g: "Ethernet, 10 Gb/s", ethernet_1g: "Ethernet, 1 Gb/s", wifi: "Wi-Fi",
};
const TRANSPORT_NAMES = { tcp: "TCP", go_back_n: "go-back-N", go_back_0: "go-back-0", selective_repeat: "selective repeat" };
const NUMBER_TYPES = { 8: "float64, 8 bytes", 4: "float32, 4 bytes", 2: "bfloat16, 2 bytes", 1: "float8, 1 byte" };
const SLIDER_STOPS = 1000; // of a slider

// The value, in the slider's unit, at a stop; and back.
export function valueAtStop({ low, high, least, step, whole }, stop) {
  const share = stop / SLIDER_STOPS;
  if (least === undefined) return Number((Math.round((low + share * (high - low)) / step) * step).toPrecision(12));
  if (low === 0 && stop === 0) return 0;
  const value = Number((least * (high / least) ** share).toPrecision(3));
  return whole ? Math.round(value) : value;
}

export function stopOfValue({ low, high, least }, value) {
  if (least === undefined) return Math.round(((value - low) / (high - low)) * SLIDER_STOPS);
  return value < least ? 0 : Math.round((Math.log(value / least) / Math.log(high / least)) * SLIDER_STOPS);
}

// A typed value in the slider's unit, or the line that says what is allowed.
export function typedSetting(slider, text) {
  const value = Number(text.trim().replace("−", "-"));
  const whole = slider.whole ? "a whole number" : "a number";
  const inside = value >= slider.low && value <= slider.high && !(slider.whole && value % 1);
  if (text.trim() === "" || !inside) {
    const allowed = `${whole} from ${inDigits(slider.low)} to ${inDigits(slider.high, 9)} ${slider.unit}`;
    return { problem: `${slider.label}: ${text.trim() || "nothing typed"} is not ${allowed}.` };
  }
  return { value };
}

function makeSlider(key, onChange, complain) {
  const slider = SETTING_SLIDERS[key];
  const range = html("input", { type: "range", min: 0, max: SLIDER_STOPS, step: 1, "aria-label": slider.label });
  const named = `${slider.label}, in ${slider.unit}`;
  const typed = html("input", { type: "text", inputmode: "decimal", "aria-label": named, size: 8 });
  const set = (value) => onChange(key, value * slider.size);
  range.addEventListener("input", () => set(valueAtStop(slider, Number(range.value))));
  typed.addEventListener("change", () => {
    const { value, problem } = typedSetting(slider, typed.value);
    complain(problem ?? "");
    typed.toggleAttribute("aria-invalid", Boolean(problem));
    if (!problem) set(value);
  });
  const name = html("span", { class: "dev-name", "aria-hidden": "true" }, slider.label);
  const element = html("div", { class: "dev-slider" }, name, range, html("span", { class: "dev-typed" }, typed, slider.unit));
  element.dataset.setting = key;
  const show = (settings) => {
    const value = Number((settings[key] / slider.size).toPrecision(12));
    element.hidden = slider.when !== undefined && settings.event !== slider.when;
    range.value = stopOfValue(slider, value);
    range.setAttribute("aria-valuetext", `${inDigits(value)} ${slider.unit}`);
    if (document.activeElement !== typed || !typed.hasAttribute("aria-invalid")) typed.value = String(value);
  };
  return { element, show };
}

function makeChoice(key, label, names, onChange, when) {
  const select = html("select", { "aria-label": label });
  const element = html("label", { class: "dev-choice" }, html("span", {}, label), select);
  element.dataset.setting = key;
  const fill = (entries) => select.replaceChildren(...entries.map(([value, text]) => html("option", { value }, text)));
  fill(Object.entries(names));
  const isNumber = key === "lostLayer" || key === "bytes";
  select.addEventListener("change", () => onChange(key, isNumber ? Number(select.value) : select.value));
  const show = (settings, layerNames) => {
    element.hidden = when !== undefined && settings.event !== when;
    if (key === "lostLayer") fill(layerNames.map((name, index) => [index, name]).reverse());
    select.value = String(settings[key]);
  };
  return { element, show };
}

export function makeDeviceControls(onChange) {
  const problem = html("p", { class: "dev-problem bad", role: "alert", hidden: "" });
  const complain = (text) => {
    problem.textContent = text;
    problem.hidden = text === "";
  };
  const presets = Object.fromEntries(Object.keys(LINKS).map((name) => [name, PRESET_NAMES[name]]));
  const choices = [
    makeChoice("preset", "Link", presets, onChange),
    makeChoice("transport", "Transport", TRANSPORT_NAMES, onChange),
    makeChoice("order", "Exchange of gradients", ORDERS, onChange),
    makeChoice("bytes", "Each number", NUMBER_TYPES, onChange),
    makeChoice("event", "What happens", EVENTS, onChange),
    makeChoice("lostLayer", "Packet of", {}, onChange, "packet"),
  ];
  const sliders = Object.keys(SETTING_SLIDERS).map((key) => makeSlider(key, onChange, complain));
  const element = html(
    "div",
    { class: "dev-controls" },
    html("div", { class: "dev-choices" }, choices.map((one) => one.element)),
    html("div", { class: "dev-sliders" }, sliders.map((one) => one.element)),
    problem,
  );
  const show = (settings, layerNames) => [...choices, ...sliders].forEach((one) => one.show(settings, layerNames));
  return { element, show };
}
