// The loss over the iterations, on a linear or logarithmic scale; what was changed is compared with the embedded trace.
//
//   const draw = makeLossChart(app);

import { $, html, short, svg, widthOf } from "./dom.js";

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [170, 74, 14, 12, 34];
const DOTS = 60; // a curve of more points has no dots
const LOG_FROM = 1000; // largest by smallest loss

// [iteration's number, loss] in order, with the loss after the last update; one that is not finite is left out.
function lossPoints({ iterations, final }) {
  const points = iterations.map(({ number, loss }) => [number, loss]);
  points.push([iterations.at(-1).number + 1, final.loss]);
  return points.filter(([, loss]) => loss !== null && Number.isFinite(loss));
}

// Whether the scale is logarithmic; "auto" takes the better one.
function usesLog(losses, choice) {
  const least = Math.min(...losses);
  if (!(least > 0)) return false;
  return choice === "auto" ? losses.length > 4 && Math.max(...losses) / least > LOG_FROM : choice === "log";
}

export function makeLossChart(app) {
  const box = $("chart");
  const boxWidth = widthOf(box, drawChart);
  $("scale").addEventListener("change", () => app.redraw());

  function drawChart() {
    const { record, place, original, edited } = app;
    if (!record.iterations.length || !boxWidth()) return;
    const width = Math.max(240, boxWidth());
    const points = lossPoints(record);
    const before = edited ? lossPoints(original) : [];
    const here = record.iterations[place.iteration];
    const all = [...points, ...before].map(([, loss]) => loss);
    const log = usesLog(all, $("scale").value);
    const [low, high] = [log ? Math.min(...all) : Math.min(0, ...all), Math.max(...all)];
    const scale = log ? Math.log10 : (loss) => loss;
    const span = scale(high) - scale(low) || 1;
    const numbers = [...points, ...before].map(([number]) => number);
    const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
    const x = (number) => LEFT + ((width - LEFT - RIGHT) * (number - first)) / (last - first || 1);
    const y = (loss) => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * (scale(loss) - scale(low))) / span;
    const at = ([number, loss]) => `${x(number).toFixed(1)} ${y(loss).toFixed(1)}`;
    const path = (list) => (list.length ? `M${list.map(at).join("L")}` : "");
    const text = ([left, down], more, content) => svg("text", { x: left, y: down, "font-size": 12, ...more }, content);
    const level = (loss) => [
      svg("line", { class: "guide", x1: LEFT, x2: width - RIGHT, y1: y(loss), y2: y(loss) }),
      text([LEFT - 11, y(loss) + 4], { "text-anchor": "end", class: "quiet" }, short(loss, 3)),
    ];
    const now = x(here.number);
    const hasRoom = now > LEFT + 20 && now < width - RIGHT - 100;
    const label = `Loss by iteration: ${short(points[0]?.[1])} at first, ${short(points.at(-1)?.[1])} after the last`;
    const chart = svg(
      "svg",
      { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": label },
      ...[low, high].flatMap(level),
      ...(before.length ? [svg("path", { class: "curve before", d: path(before) })] : []),
      svg("path", { class: "curve", d: path(points) }),
      ...(points.length <= DOTS ? points.map(([n, loss]) => svg("circle", { class: "dot", cx: x(n), cy: y(loss), r: 3 })) : []),
      text([LEFT, HEIGHT - 14], { class: "mid quiet" }, String(first)),
      text([width - RIGHT, HEIGHT - 14], { class: "quiet", "text-anchor": "end" }, "after the last"),
      ...(hasRoom ? [text([now, HEIGHT - 14], { class: "mid" }, String(here.number))] : []),
      svg("line", { class: "guide", x1: now, x2: now, y1: TOP, y2: HEIGHT - BOTTOM, "stroke-dasharray": "3 3" }),
      ...(Number.isFinite(here.loss) ? [svg("circle", { class: "ring", cx: now, cy: y(here.loss), r: 6 })] : []),
    );
    box.replaceChildren(chart, note(app, here, log));
  }
  return drawChart;
}

function note({ edited, hidden, record, place }, here, log) {
  const step = record.stepAt(place.iteration, "loss", record.batchSize(place.iteration) > 1 ? null : 1, null, null);
  const value = hidden?.(place.iteration, step) ? "?" : short(here.loss);
  const after = here.loss_after === undefined || value === "?" ? "" : `, ${short(here.loss_after)} after it on the same batch`;
  const scale = log ? " Logarithmic scale." : "";
  const before = edited ? " Dashed: the trace before the changes." : "";
  const rate = `learning rate ${short(here.learning_rate)}`;
  const line = `Iteration ${here.number}: loss ${value} before the update${after}; ${rate}.`;
  return html("p", { class: "muted" }, `${line}${scale}${before}`);
}
