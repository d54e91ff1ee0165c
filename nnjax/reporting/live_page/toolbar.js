// The toolbar: undo, redo and reset; a link to the state, its trace.json, and the command that makes it.
//
//   const draw = makeToolbar(app);
//   openLink(app);                 // the state of the page's own address, if it has one

import { commandOf } from "./command.js";
import { $, html } from "./dom.js";
import { linkOf, stateFromLink } from "./link.js";
import { traceOf } from "./trace_of.js";

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// Shows a text to copy, and copies it where the browser permits.
async function share(name, text) {
  $("shared-name").textContent = name;
  $("shared-text").value = text;
  $("shared-note").textContent = "";
  $("shared").hidden = false;
  $("shared-text").focus();
  $("shared-text").select();
  try {
    await navigator.clipboard.writeText(text);
    $("shared-note").textContent = "Copied.";
  } catch {
    $("shared-note").textContent = "Copy the marked text.";
  }
}

function shareLink(app) {
  const address = `${location.href.split("#")[0]}${linkOf(app.state, app.place)}`;
  history.replaceState(null, "", address);
  share("Link to this state and this step", address);
}

function downloadTrace(app) {
  const trace = app.edited ? traceOf(app.state) : app.trace;
  const address = URL.createObjectURL(new Blob([`${JSON.stringify(trace)}\n`], { type: "application/json" }));
  html("a", { href: address, download: "trace.json" }).click();
  setTimeout(() => URL.revokeObjectURL(address));
}

export function makeToolbar(app) {
  // Does something whose refusal is for the reader.
  const tried = (act) => () => {
    try {
      app.notice = null;
      act();
    } catch (error) {
      app.notice = sentence(error.message);
    }
    app.redraw();
  };
  $("undo").addEventListener("click", () => app.undo());
  $("redo").addEventListener("click", () => app.redo());
  $("reset").addEventListener("click", () => app.reset());
  $("copy-link").addEventListener("click", tried(() => shareLink(app)));
  $("download").addEventListener("click", tried(() => downloadTrace(app)));
  const command = () => commandOf(app.state, app.edited ? null : app.trace);
  $("command").addEventListener("click", tried(() => share("The command that makes this trace", command())));
  $("shared-close").addEventListener("click", () => {
    $("shared").hidden = true;
    $("copy-link").focus();
  });
  addEventListener("hashchange", () => {
    openLink(app);
    app.redraw();
  });

  let shared = app.state;
  return function drawToolbar() {
    $("undo").disabled = !app.canUndo;
    $("redo").disabled = !app.canRedo;
    $("reset").disabled = !app.edited;
    $("command").disabled = app.state === null;
    $("notice").textContent = app.notice ?? "";
    $("notice").hidden = !app.notice;
    if (shared !== app.state) $("shared").hidden = true; // what it shows is of another state
    shared = app.state;
  };
}

// Opens the state and the place of the page's address; a link that cannot be read is told.
export function openLink(app) {
  if (!location.hash.startsWith("#v=")) return;
  try {
    const { state, place } = stateFromLink(location.hash);
    if (state === null || JSON.stringify(state) === JSON.stringify(app.state)) app.go(place);
    else if (app.state === null) throw new Error("this link changes numbers, and this trace can only be read");
    else app.open(state, place);
  } catch (error) {
    app.notice = sentence(error.message);
  }
}
