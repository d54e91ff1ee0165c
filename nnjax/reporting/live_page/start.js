// The start of the page: the embedded trace, the parts of the page that follow it, and what the browser reports.

import { makeApp } from "./app.js";
import { makeCard } from "./card.js";
import { makeChain } from "./chain_panel.js";
import { makeChecks, startAgreement } from "./checks.js";
import { makeControls } from "./controls.js";
import { makeDevices } from "./devices_panel.js";
import { $ } from "./dom.js";
import { makeDrawing } from "./drawing.js";
import { makeEditor } from "./editor.js";
import { drawExchange } from "./exchange.js";
import { makeGuess } from "./guess_panel.js";
import { makeHeader } from "./header.js";
import { makeLossChart } from "./loss_chart.js";
import { makeRemarks } from "./remarks_list.js";
import { makeScrub } from "./scrub.js";
import { makeStepsTable } from "./steps_table.js";
import { makeToolbar, openLink } from "./toolbar.js";

function startPage(app) {
  const table = makeStepsTable(app);
  const parts = [makeHeader(app), makeToolbar(app), makeEditor(app), makeControls(app), makeCard(app)];
  const others = [makeDrawing($("drawing"), $("caption"), app), table.draw, makeLossChart(app), makeRemarks(app)];
  for (const draw of [...parts, ...others, makeChecks(app)]) app.subscribe(draw);
  makeScrub($("drawing"), $("editing"), app);
  makeGuess($("guess"), app);
  makeChain($("chain"), app);
  makeDevices($("devices"), app);
  if (app.trace.exchange) drawExchange($("exchange"), app.trace.exchange);
  addEventListener("beforeprint", () => table.print(true));
  addEventListener("afterprint", () => table.print(false));
  openLink(app);
  app.redraw();
  startAgreement(app);
}

startPage(makeApp(JSON.parse($("trace-data").textContent)));
