// A training step of two devices, failures and snapshots: the formulas of nnjax.interconnect.timing and failures.
//
//   stepTimeline(1, [{seconds: 0.2, backward: true, share: 1}], true).end      // 1.2 seconds
//
// tests/live_page/test_link_model.py compares each function with its twin in Python.

import { exchangeTime } from "./link_model.js";

// timing.BACKWARD_SHARE: the share of computing that is the backward pass.
export const BACKWARD_SHARE = 2 / 3;

// timing.timeline: places exchanges beside the backward pass. Each begins when its gradients are there and the one before has
// ended. The networks of this page have no BatchNorm, so no exchange comes before the backward pass.
export function stepTimeline(computing, exchanges, overlap) {
  const forward = (1 - BACKWARD_SHARE) * computing;
  let free = 0;
  const spans = exchanges.map((one) => {
    const ready = overlap && one.backward ? forward + one.share * BACKWARD_SHARE * computing : computing;
    const start = Math.max(ready, free);
    free = start + one.seconds;
    return [start, free];
  });
  return { computing, forward, backward: computing, spans, end: Math.max(computing, free) };
}

// timing.utilisation: the share of a step in which a device computes.
export const utilisationOf = (computing, step) => (step ? computing / step : 1);

// prediction.predict_step: exchanges of these sizes in bytes, in the order in which they are issued; `ready` has for each the
// share of the backward pass after which its gradients are there. `alone` has the computing time of each device: the slower one
// sets the pace of the exchanges.
export function predictStep(sizes, ready, link, alone, overlap) {
  const exchanges = sizes.map((size) => exchangeTime(size, link));
  const computing = Math.max(...alone);
  const line = stepTimeline(
    computing,
    exchanges.map((one, index) => ({ seconds: one.time, backward: true, share: ready[index] })),
    overlap,
  );
  const exposed = line.end - computing; // timing.exposed_time
  const step = computing + exposed; // timing.step_time
  return {
    exchanges, line, computing, exposed, step,
    communicating: exchanges.reduce((sum, one) => sum + one.time, 0), // timing.total
    utilisation: alone.map((seconds) => utilisationOf(seconds, step)),
  };
}

// failures.time_between_failures: mean seconds between failures of any of the devices.
export const timeBetweenFailures = (deviceHours, devices) => (3600 * deviceHours) / devices;

// failures.young: the best time of training between two snapshots, to first order.
export const youngInterval = (snapshotTime, meanTime) => Math.sqrt(2 * snapshotTime * meanTime);

// failures.daly: the same, to higher order.
export function dalyInterval(snapshotTime, meanTime) {
  const ratio = snapshotTime / (2 * meanTime);
  if (ratio >= 1) return meanTime;
  return youngInterval(snapshotTime, meanTime) * (1 + Math.sqrt(ratio) / 3 + ratio / 9) - snapshotTime;
}

// failures.goodput: the share of the time that advances the training.
export function snapshotGoodput(interval, snapshotTime, restartTime, meanTime) {
  if ((restartTime + interval + snapshotTime) / meanTime > 700) return 0;
  return interval / (meanTime * Math.exp(restartTime / meanTime) * Math.expm1((interval + snapshotTime) / meanTime));
}
