// The time of one exchange between two devices: the formulas of nnjax.interconnect, which docs/network-models.md lists.
//
//   exchangeTime(1_600_000, LINKS.ethernet_1g).time       // seconds, as experiments.traffic predicts them
//
// tests/live_page/test_link_model.py compares each function with its twin in Python, on random links. All rates are in bits a
// second, all times in seconds, all sizes in bytes; a link has the fields of nnjax.config.link_options.Link.

// The expected larger of two standard normal numbers: stragglers.slowest_of_normal(2), whose integral is 1 / √π.
const SLOWER_OF_TWO = 1 / Math.sqrt(Math.PI);

// algorithms.bytes_sent of an all-reduce: what the busiest device sends.
export function allReduceBytes(algorithm, size, devices) {
  if (devices === 1) return 0;
  if (algorithm === "tree") return devices === 2 ? size : 2 * size;
  if (algorithm === "halving_doubling") {
    const power = 2 ** (31 - Math.clz32(devices));
    return ((2 * (power - 1)) / power) * size + (power < devices ? size : 0);
  }
  return 2 * ((devices - 1) / devices) * size;
}

// algorithms.rounds of an all-reduce: messages that follow one another.
export function allReduceRounds(algorithm, devices) {
  if (devices === 1) return 0;
  const logarithm = 32 - Math.clz32(devices - 1);
  if (algorithm === "tree") return 2 * logarithm;
  if (algorithm === "halving_doubling") {
    const lower = 31 - Math.clz32(devices);
    return 2 * lower + (lower === logarithm ? 0 : 2);
  }
  return 2 * (devices - 1);
}

// Link.payload and Link.round_trip.
const payloadOf = (link) => link.mtu - link.header_bytes;
export const roundTripOf = (link) => 2 * link.latency;

// packets.pack: equal messages as packets; the last packet of each may be short.
export function packMessages(bytes, link, messages = 1) {
  const data = Math.ceil(bytes);
  const packets = messages * Math.ceil(data / messages / payloadOf(link));
  const acks = link.ack_bytes ? Math.ceil(packets / link.ack_every) : 0;
  const wire = data + packets * (link.header_bytes + link.frame_bytes);
  return { data, packets, wire, acks, ackBytes: acks * link.ack_bytes };
}

// packets.wire_efficiency: the share of the wire's bytes that are data.
export function wireEfficiency(data, packets, headerBytes, frameBytes, acks = 0, ackBytes = 0) {
  const wire = data + packets * (headerBytes + frameBytes) + acks * ackBytes;
  return wire ? data / wire : 1;
}

// timing.data_rate: bits of data a second that a link carries.
const dataRate = (bandwidth, efficiency, goodput, oversubscription = 1, incast = 1) =>
  (bandwidth * efficiency * goodput) / (oversubscription * incast);

// transport.mathis: TCP's rate under loss without timeouts.
export const mathisRate = (mss, rtt, loss, acks = 2) =>
  loss === 0 || rtt === 0 ? Infinity : ((8 * mss) / rtt) * Math.sqrt(3 / (2 * acks * loss));

// transport.timeout_time: seconds that TCP's timeouts add to a packet on average.
export const timeoutTime = (loss, timeout, acks = 2) =>
  timeout * Math.min(1, 3 * Math.sqrt((3 * acks * loss) / 8)) * loss * (1 + 32 * loss ** 2);

// transport.pftk: TCP's rate under loss with timeouts and a largest window.
export function pftkRate(mss, rtt, loss, timeout, acks = 2, window = Infinity) {
  const seconds = rtt * Math.sqrt((2 * acks * loss) / 3) + timeoutTime(loss, timeout, acks);
  return Math.min(seconds ? (8 * mss) / seconds : Infinity, rtt ? (8 * mss * window) / rtt : Infinity);
}

// transport.tcp_goodput: the share of a link's data rate that TCP reaches in a long transfer.
export const tcpGoodput = (mss, rtt, loss, timeout, acks, bandwidth) =>
  Math.min(1, pftkRate(mss, rtt, loss, timeout, acks) / bandwidth);

// transport.tcp_message_time: seconds in which TCP delivers a message.
export function tcpMessageTime(packets, mss, bandwidth, rtt, loss, timeout, acks = 2) {
  const windows = packets * Math.sqrt((2 * acks * loss) / 3);
  return Math.max((8 * packets * mss) / bandwidth, (windows - 1) * rtt) + packets * timeoutTime(loss, timeout, acks);
}

// transport.go_back_n: the share of a link's packets that are not sent in vain.
export const goBackN = (loss, window) => (1 - loss) / (1 - loss + loss * window);

// transport.go_back_0: the same where each loss starts its message again.
export function goBack0(loss, packets) {
  if (loss === 0 || packets === 0) return 1;
  const growth = -packets * Math.log1p(-loss);
  return growth < 700 ? (packets * loss) / Math.expm1(growth) : 0;
}

// transport.selective_repeat: the same where only lost packets are sent again.
export const selectiveRepeat = (loss) => 1 - loss;

// transport.window_of: packets between a packet and the answer to it.
export const windowOf = (link) =>
  link.window ?? 1 + (link.bandwidth * roundTripOf(link)) / (8 * (link.mtu + link.frame_bytes));

// collective_time.goodput_of, for transports other than TCP.
export function goodputOf(link, packets) {
  if (link.transport === "go_back_n") return goBackN(link.loss, windowOf(link));
  return link.transport === "go_back_0" ? goBack0(link.loss, packets) : selectiveRepeat(link.loss);
}

// collective_time.level: what a link makes of the bytes that one of two devices sends in equal messages. With two devices, each
// receives from one other: incast is 1.
export function linkLevel(link, sent, messages) {
  const packing = packMessages(sent, link, messages);
  const { data, packets, acks } = packing;
  const efficiency = wireEfficiency(data, packets, link.header_bytes, link.frame_bytes, acks, link.ack_bytes);
  const goodput = link.transport === "tcp" ? 1 : goodputOf(link, Math.ceil(packets / messages));
  let rate = dataRate(link.bandwidth, efficiency, goodput, link.oversubscription);
  if (link.transport === "tcp" && link.loss && packets) {
    const rtt = roundTripOf(link);
    rate = (8 * sent) / tcpMessageTime(packets, sent / packets, rate, rtt, link.loss, link.timeout, link.ack_every);
  }
  const latency = (link.latency + link.jitter * SLOWER_OF_TWO) * link.round_latencies; // stragglers.round_with_jitter
  return { packing, efficiency, latency, rate };
}

// timing.alpha_beta: seconds that an exchange takes.
export const alphaBeta = (rounds, latency, sentBytes, bandwidth, overhead = 0, buffers = 1) =>
  overhead + buffers * rounds * latency + (bandwidth ? (8 * sentBytes) / bandwidth : Infinity);

// collective_time.time_of: an all-reduce of a buffer between two devices in machines of their own. A ring, a tree, and halving
// and doubling are the same for two: each device sends as many bytes as the buffer has, in two rounds.
export function exchangeTime(size, link) {
  const sent = allReduceBytes("ring", size, 2);
  const rounds = allReduceRounds("ring", 2);
  const { packing, efficiency, latency, rate } = linkLevel(link, sent, rounds);
  const transfer = rate ? (8 * sent) / rate : Infinity;
  const parts = { overhead: link.call_overhead, latency: rounds * latency, transfer };
  return {
    size, sent, rounds, packets: packing.packets, wire: packing.wire, efficiency, rate, ...parts,
    time: alphaBeta(rounds, latency, sent, rate, link.call_overhead),
  };
}
