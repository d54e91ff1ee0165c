// The head of the page, and what is shown at all: settings, whether something was changed, why a trace ended.
//
//   const draw = makeHeader(app);

import { $, html } from "./dom.js";
import { tracedSettings } from "./trace_of.js";

// A setting in words: options as "label smoothing 0.1", true as "yes".
function settingText(value) {
  if (value === null || typeof value !== "object") return { true: "yes", false: "no" }[value] ?? String(value);
  const parts = Object.entries(value).map(([name, part]) => `${name.replaceAll("_", " ")} ${settingText(part)}`);
  return parts.join(", ") || "none";
}

export function makeHeader(app) {
  const { trace } = app;
  $("title").textContent = trace.title;
  let drawn = null;

  function drawSettings() {
    const count = app.record.iterations.length;
    const { learning_rate_rule: rule, ...settings } = app.edited ? tracedSettings(app.state, count) : trace.settings;
    const parts = Object.entries(settings).map(([name, value], index) => [
      `${index ? " · " : ""}${name.replaceAll("_", " ")} `,
      html("b", {}, settingText(value)),
    ]);
    $("settings").replaceChildren(...parts.flat());
    $("rule").textContent = rule;
  }

  return function drawHeader() {
    const { record, edited } = app;
    $("walk").hidden = !app.row;
    $("exchange").hidden = !trace.exchange || edited;
    $("changed").hidden = !edited;
    $("agreement").hidden = edited;
    $("stopped").textContent = record.stopped ? `Stopped: ${record.stopped}.` : "";
    $("stopped").hidden = !record.stopped;
    if (drawn === app.state && drawn !== null) return;
    drawn = app.state;
    drawSettings();
  };
}
