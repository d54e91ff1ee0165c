// Plays a scene of two devices: buttons, a slider over time, keys. With reduced motion it goes from moment to moment.
//
//   const player = makePlayer(() => draw(player.time));
//   root.append(player.slider, player.buttons); player.show(scene);

import { html } from "./dom.js";

const PLAY_SECONDS = 12; // that a scene plays
const MOMENT_PAUSE = 1300; // milliseconds between two moments with reduced motion
const STOPS_OF_TIME = 1000;
const REDUCED_MOTION = "(prefers-reduced-motion: reduce)";

export function makePlayer(onTime) {
  const button = (label, title) => html("button", { type: "button", "aria-label": title, title }, label);
  const [first, back, play, next, last] = [
    button("|◀", "To the start of the step"),
    button("◀", "To the moment before"),
    button("Play", "Play the step"),
    button("▶", "To the next moment"),
    button("▶|", "To the end of the step"),
  ];
  play.className = "dev-play";
  const range = { type: "range", min: 0, max: STOPS_OF_TIME, step: 1 };
  const slider = html("input", { ...range, class: "dev-slide", "aria-label": "Time of the step" });
  const buttons = html("div", { class: "dev-player" }, first, back, play, next, last);
  let [scene, time, share, timer, frame] = [null, 0, 0, null, null];

  function go(moment) {
    if (!scene) return;
    time = Math.min(scene.end, Math.max(0, moment));
    share = scene.end ? time / scene.end : 0;
    slider.value = Math.round(STOPS_OF_TIME * share);
    first.disabled = back.disabled = time <= 0;
    next.disabled = last.disabled = time >= scene.end;
    onTime();
  }

  function step(by) {
    if (!scene) return;
    pause();
    const { moments, end } = scene;
    const near = 1e-9 * end; // moments of rounding apart are one
    const found = by > 0 ? moments.find((one) => one > time + near) : moments.findLast((one) => one < time - near);
    go(found ?? (by > 0 ? end : 0));
  }

  const playing = () => timer !== null || frame !== null;
  function pause() {
    clearInterval(timer);
    cancelAnimationFrame(frame);
    [timer, frame] = [null, null];
    play.textContent = "Play";
    play.setAttribute("aria-label", "Play the step");
  }

  function start() {
    if (!scene) return;
    if (time >= scene.end) go(0);
    play.textContent = "Pause";
    play.setAttribute("aria-label", "Pause");
    if (matchMedia(REDUCED_MOTION).matches) {
      timer = setInterval(() => {
        const found = scene.moments.find((one) => one > time * (1 + 1e-9));
        go(found ?? scene.end);
        if (time >= scene.end) pause();
      }, MOMENT_PAUSE);
      return;
    }
    let before = null;
    const tick = (now) => {
      frame = requestAnimationFrame(tick);
      if (before !== null) go(time + ((now - before) / 1000 / PLAY_SECONDS) * scene.end);
      before = now;
      if (time >= scene.end) pause();
    };
    frame = requestAnimationFrame(tick);
  }

  const toggle = () => (playing() ? pause() : start());
  play.addEventListener("click", toggle);
  first.addEventListener("click", () => [pause(), go(0)]);
  last.addEventListener("click", () => [pause(), go(scene?.end)]);
  back.addEventListener("click", () => step(-1));
  next.addEventListener("click", () => step(1));
  slider.addEventListener("input", () => [pause(), go((Number(slider.value) / STOPS_OF_TIME) * scene?.end)]);

  const KEYS = {
    " ": toggle,
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    Home: () => [pause(), go(0)],
    End: () => [pause(), go(scene?.end)],
  };

  return {
    slider,
    buttons,
    go,
    pause,
    get time() {
      return time;
    },
    // A new scene, at the same share of its time.
    show(found) {
      scene = found;
      time = share * scene.end;
      slider.value = Math.round(STOPS_OF_TIME * share);
      first.disabled = back.disabled = time <= 0;
      next.disabled = last.disabled = time >= scene.end;
    },
    get playing() {
      return playing();
    },
    // A key of the stage; a focused control keeps its own keys.
    key(event) {
      const act = KEYS[event.key];
      const own = event.target.closest("input, select") || (event.key === " " && event.target.closest("button"));
      if (!act || own || !scene || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    },
  };
}
