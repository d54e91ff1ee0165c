// The drawing of the network: nodes, edges and their values, with the step's parts in colour.
//
//   makeDrawing($("drawing"), $("caption"), app);        // redraws with the app
//
// Texts stay in the page and change in place, so that one that has the focus or is dragged keeps it.

import { hasWeight, pathOf } from "./chain.js";
import { $, clip, html, short, svg, widthOf } from "./dom.js";
import { editOf } from "./edits.js";
import { edgeLabel, isSeenDead, nodeLabels, reachedIn } from "./labels.js";
import { BAR, makePlan, placeLabels } from "./plan.js";
import { involved, sourceOf, targetOf } from "./words.js";

const CLICK = 9; // px from an edge within which a click is meant for it
const FEW_EDGES = 20; // a step with more edges shows no values on them, unless there is room for all

const shapeOfNetwork = ({ network: { inputs, layers }, hasProbabilities, classes }) =>
  JSON.stringify([inputs, layers.map((layer) => [layer.neurons, layer.has_bias]), hasProbabilities, classes]);
const isHidden = (plan, node) => node.kind !== "loss" && node.kind !== "bias" && plan.columns[node.column].length > BAR;

export function makeDrawing(box, caption, app) {
  let [plan, drawnShape, drawnWidth, texts] = [null, null, null, new Map()];
  const boxWidth = widthOf(box, draw);

  function drawNetwork() {
    const { record } = app;
    plan = makePlan(record, boxWidth());
    texts = new Map();
    const paths = record.network.layers.map((_, index) => {
      const edges = plan.edges.filter((edge) => edge.layer === index + 1);
      if (edges.length > 3000) return null; // a grey patch, and slow: draw only the step's edges
      const d = edges.map(plan.segmentOf).map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`);
      return svg("path", { class: "edges", d: d.join(""), opacity: edges.length > 300 ? 0.25 : null });
    });
    const errors = record.neuronsOf(record.lastLayer).map((_, index) => {
      const id = `${record.lastLayer}:${index + 1}`;
      const [x1, y1, x2, y2] = plan.segmentToLoss(id);
      return svg("line", { class: "edges error", x1, y1, x2, y2, "data-node": id });
    });
    const bars = plan.columns.filter((column) => column.length > BAR).map((column) => {
      const [first, last] = [plan.nodes.get(column[0].id), plan.nodes.get(column.at(-1).id)];
      return svg("line", { class: "bar", x1: first.x, y1: first.y, x2: last.x, y2: last.y });
    });
    const layers = record.network.layers.map((layer) => `${layer.name} of ${layer.neurons.length} (${layer.activation})`);
    const label = `The network: ${record.network.inputs.length} inputs, ${layers.join(", ")}`;
    const size = { width: plan.width, height: plan.height, viewBox: `0 0 ${plan.width} ${plan.height}` };
    box.replaceChildren(
      svg(
        "svg",
        { ...size, role: "group", "aria-label": label },
        ...[...paths.filter(Boolean), ...errors, ...bars],
        ...[svg("g", { id: "path" }), svg("g", { id: "now" }), svg("g", { id: "shapes" }), svg("g", { id: "texts" })],
      ),
    );
    const nodes = [...plan.nodes.values()].filter((node) => !isHidden(plan, node));
    $("shapes").append(...nodes.map((node) => shapeOfNode(node, record)));
  }

  function draw() {
    const { record, row } = app;
    if (!row || !boxWidth()) return;
    const shape = shapeOfNetwork(record);
    if (shape !== drawnShape || boxWidth() !== drawnWidth) {
      [drawnShape, drawnWidth] = [shape, boxWidth()];
      drawNetwork();
    }
    const { main, edges, loss } = involved(record, row);
    const parts = new Set(edges.flatMap((edge) => [sourceOf(edge), targetOf(record, edge)]));
    if (main === "loss") plan.columns[record.lastLayer].forEach((node) => node.kind === "neuron" && parts.add(node.id));
    else if (loss) parts.add("loss");
    mark(main, parts, edges, loss);
    const shown = reachedIn(app);
    const wanted = new Map();
    for (const node of plan.nodes.values()) nodeTexts(wanted, node, shown, main, parts);
    edgeTexts(wanted, edges, shown);
    update(wanted);
    showNode(plan.nodes.get(main));
    const text = captionOf(app, plan);
    if (caption.firstChild?.textContent === text) return;
    const how = app.readOnly ? "" : " Underlined numbers can be changed: drag them, use ↑ and ↓, or press Enter and type.";
    caption.replaceChildren(text, html("span", { class: "screen" }, how));
  }

  function mark(main, parts, edges, loss) {
    const lit = litPath();
    for (const element of $("shapes").children) {
      const { node } = element.dataset;
      const kind = node === main ? "shape now" : parts.has(node) ? "shape part" : "shape";
      element.setAttribute("class", lit.nodes.includes(node) ? `${kind} on-path` : kind);
    }
    $("path").replaceChildren(...lit.edges.map((edge) => lineOf(edge, { class: "edges on-path" })));
    for (const element of box.querySelectorAll(".error")) {
      const on = loss && (main === "loss" || main === element.dataset.node);
      element.setAttribute("class", on ? "edges error now" : "edges error");
    }
    const style = edges.length > FEW_EDGES ? "stroke-width: 1; opacity: .5" : null;
    const lines = edges.map((edge) => lineOf(edge, { class: "edges now", style }));
    const dots = [...parts, main].map((id) => plan.nodes.get(id)).filter((node) => isHidden(plan, node));
    $("now").replaceChildren(...lines, ...dots.map(({ x, y }) => svg("circle", { class: "shape now", cx: x, cy: y, r: 3 })));
  }

  function lineOf(edge, attributes) {
    const [x1, y1, x2, y2] = plan.segmentOf(edge);
    return svg("line", { ...attributes, x1, y1, x2, y2 });
  }

  // The path of the weight that a person has chosen, from it to the error.
  function litPath() {
    const { state, chosenWeight: weight, chosenPath } = app;
    return state && weight && hasWeight(state, weight) ? pathOf(state, weight, chosenPath ?? null) : { edges: [], nodes: [] };
  }

  // A click on an edge chooses its weight for the chain rule; one on a number that can be changed opens that instead.
  let pressed = null;
  box.addEventListener("pointerdown", (event) => (pressed = event.target));
  box.addEventListener("click", (event) => {
    if (!app.state || !plan || pressed?.closest("[data-edit], input")) return;
    const { left, top } = box.querySelector("svg").getBoundingClientRect();
    const edge = nearestEdge(plan, event.clientX - left, event.clientY - top);
    if (!edge) return;
    [app.chosenWeight, app.chosenPath] = [edge, null];
    app.redraw();
  });

  // The edges' values; only those of the step's edges if there is no room for all.
  function edgeTexts(wanted, edges, shown) {
    const ends = (edge) => `${sourceOf(edge)}>${targetOf(app.record, edge)}`;
    const now = new Set(edges.map(ends));
    const drawn = plan.every ? plan.edges : edges.length <= FEW_EDGES ? edges : [];
    const places = plan.labels ?? placeLabels(drawn, plan);
    drawn.forEach((edge, order) => {
      const { x, y, hits } = places[order];
      if (!plan.every && hits > 60) return;
      const [content, className] = edgeLabel(app.record, app.place, shown, edge, plan.labelDigits);
      const layer = edge.layer - 1;
      const neuron = app.record.neuronsOf(edge.layer).indexOf(edge.neuron);
      const on = now.has(ends(edge));
      const kind = on ? "now" : className;
      const edit = className === "quiet" ? `weight:${layer}:${neuron}:${edge.input}` : null; // other values follow from it
      const text = { x, y: y + plan.font * 0.35, content, className: `mid ${kind}`, size: plan.font };
      wanted.set(ends(edge), { ...text, edit, back: true, on });
    });
  }

  // A node's name and values. In a large network only the step's node shows all; its neighbours show the step's operand.
  function nodeTexts(wanted, node, shown, main, parts) {
    const { x, y, r, id } = node;
    const { record, row, place } = app;
    const add = (part, values) => wanted.set(`${id} ${part}`, values);
    if (node.kind === "loss") {
      const found = shown("loss");
      add("name", { x, y: y - (found ? 8 : 0), content: "loss", className: "name", size: 13 });
      const className = found === row ? "mid now" : "mid";
      if (found) add("value", { x, y: y + 14, content: short(found.value), className, size: 13 });
      return;
    }
    const size = Math.min(16, r, (2 * r - 3) / (0.62 * node.name.length));
    const inside = size >= 6;
    const neighbour = parts.has(id) && parts.size <= 14;
    const small = plan.sizes === null;
    if (inside) add("name", { x, y, content: node.name, className: "name", size });
    else if (!small || id === main || neighbour) {
      add("name", { x, y: y - r - 4, content: clip(node.name, 11), className: "mid halo", size: plan.font });
    }
    if (small && id !== main && !neighbour) return;
    const counts = row.quantity === "weighted_delta" ? "delta" : "y";
    const values = nodeLabels(record, place, shown, node, row, plan.digits);
    const drawn = values.filter(([, className]) => !small || id === main || className === counts);
    drawn.forEach(([content, className, edit], line) => {
      const at = { x, y: y + r + (line + 0.9) * plan.lines };
      add(`line ${line}`, { ...at, content, className: `mid halo ${className}`, size: plan.font, edit });
    });
    if (node.kind === "neuron" && !small && isSeenDead(record, place, node.name)) {
      add("dead", { x, y: y - r - 6, content: "dead: slope 0", className: "mid halo dead", size: plan.font });
    }
  }

  // Changes the texts in the page to the wanted ones: elements are made and removed only where that is needed.
  function update(wanted) {
    for (const [key, found] of texts) {
      if (wanted.has(key)) continue;
      found.group.remove();
      texts.delete(key);
    }
    for (const [key, values] of wanted) {
      let found = texts.get(key);
      if (!found) {
        const [rect, text] = [values.back ? svg("rect", { class: "back" }) : null, svg("text")];
        found = { group: svg("g", {}, ...(rect ? [rect] : []), text), rect, text, old: {} };
        texts.set(key, found);
        $("texts").append(found.group);
      }
      setText(found, values);
    }
  }

  function setText({ text, rect, group, old }, { x, y, content, className, size, edit, on }) {
    const field = edit ? editOf(app, edit) : null;
    const now = { x, y, class: className, "font-size": size, ...editAttributes(field, edit) };
    for (const name of Object.keys(old)) if (!(name in now) && name !== "content" && name !== "on") text.removeAttribute(name);
    for (const [name, value] of Object.entries(now)) if (old[name] !== value) text.setAttribute(name, value);
    if (old.content !== content) text.textContent = content;
    if (rect && (old.content !== content || old.x !== x || old.y !== y)) {
      const width = content.length * size * 0.6 + 4;
      const place = { x: x - width / 2, y: y - size * 0.95, width, height: size * 1.2 };
      for (const [name, value] of Object.entries(place)) rect.setAttribute(name, value);
    }
    if (on && !old.on && !group.contains(document.activeElement)) {
      group.parentNode.append(group); // the step's values are on top
    }
    for (const name of Object.keys(old)) delete old[name];
    Object.assign(old, now, { content, on });
  }

  // Scrolls to the step's node if the drawing is wider than its box; not while a number of the same step is changed.
  let shownAt = null;
  function showNode({ x }) {
    if (plan.width <= boxWidth()) return;
    const key = `${app.place.iteration}:${app.place.step}`;
    const outside = x < box.scrollLeft + 40 || x > box.scrollLeft + box.clientWidth - 40;
    if (key !== shownAt && outside) box.scrollLeft = x - box.clientWidth / 2;
    shownAt = key;
  }
  return draw;
}

// The edge within a few pixels of a point, or null.
function nearestEdge(plan, x, y) {
  let [nearest, least] = [null, CLICK];
  for (const edge of plan.edges) {
    const [x1, y1, x2, y2] = plan.segmentOf(edge);
    const [dx, dy] = [x2 - x1, y2 - y1];
    const share = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1)));
    const distance = Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
    if (distance < least) [nearest, least] = [edge, distance];
  }
  return nearest;
}

const editAttributes = (field, edit) =>
  field === null
    ? {}
    : {
        "data-edit": edit,
        tabindex: "0",
        role: "spinbutton",
        "aria-label": field.name,
        "aria-valuenow": String(field.value),
        "aria-valuetext": String(field.value),
      };

function shapeOfNode(node, record) {
  const { x, y, r, kind } = node;
  const attributes = { class: "shape", "data-node": node.id };
  if (kind === "loss") return svg("rect", { ...attributes, x: x - 42, y: y - r, width: 84, height: 2 * r, rx: 6 });
  const activation = kind === "neuron" ? ` (${record.network.layers[node.column - 1].activation})` : "";
  const title = svg("title", {}, kind === "bias" ? "bias input, always 1" : `${kind} ${node.name}${activation}`);
  if (kind === "neuron") return svg("circle", { ...attributes, cx: x, cy: y, r }, title);
  const rx = kind === "input" ? r * 0.35 : 0;
  return svg("rect", { ...attributes, x: x - r, y: y - r, width: 2 * r, height: 2 * r, rx }, title);
}

function captionOf({ record, row, place }, plan) {
  const batch = record.batchSize(place.iteration);
  const shown = batch > 1 ? `Nodes show example ${place.example + 1} of ${batch}. ` : "";
  const edges = { adjust: "Edges: ∂ gradient, then Δ adjustment.", update: "Edges: Δ adjustment, then → new weight." };
  const wider = plan.down && plan.few ? "; a wider screen shows all" : "";
  const which =
    plan.sizes === null
      ? " The network is large: only the nodes and edges of this step show values, where there is room."
      : plan.every
        ? ""
        : ` There is room for the values of this step's edges only${wider}.`;
  const few = plan.every && plan.labelDigits < 6;
  const rounded = few ? ` Rounded to ${plan.labelDigits} digits on the edges, ${plan.digits} on the nodes.` : "";
  const probability = record.hasProbabilities ? "p probability, " : "";
  return (
    `${shown}${edges[row.phase] ?? "Edges: the weights of this iteration."} ` +
    `Nodes: z before the activation, y output, ${probability}δ error term; squares with 1 are bias inputs.` +
    `${which}${rounded}`
  );
}
