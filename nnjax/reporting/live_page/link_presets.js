// The links of conf/link/*.yaml, which has the source of each number; a test holds the two equal.
//
//   LINKS.ethernet_10g.bandwidth          // 1e10 bits a second

export const LINKS = {
  nvlink: {
    bandwidth: 3600e9, latency: 3.4e-6, jitter: 0, loss: 0, mtu: 256, header_bytes: 0, frame_bytes: 16, ack_bytes: 0,
    ack_every: 1, transport: "go_back_n", window: null, timeout: 1e-3, lossless: true, oversubscription: 1,
    round_latencies: 1, call_overhead: 8.4e-6,
  },
  infiniband_400g: {
    bandwidth: 400e9, latency: 9.6e-6, jitter: 0, loss: 0, mtu: 4096, header_bytes: 0, frame_bytes: 26, ack_bytes: 30,
    ack_every: 1, transport: "go_back_n", window: null, timeout: 67e-3, lossless: true, oversubscription: 1,
    round_latencies: 1, call_overhead: 8.4e-6,
  },
  roce_400g: {
    bandwidth: 400e9, latency: 9.6e-6, jitter: 0, loss: 0, mtu: 4096, header_bytes: 0, frame_bytes: 82, ack_bytes: 86,
    ack_every: 1, transport: "selective_repeat", window: null, timeout: 67e-3, lossless: true, oversubscription: 1,
    round_latencies: 1, call_overhead: 8.4e-6,
  },
  roce_100g: {
    bandwidth: 100e9, latency: 9.6e-6, jitter: 0, loss: 0, mtu: 1024, header_bytes: 0, frame_bytes: 82, ack_bytes: 86,
    ack_every: 1, transport: "go_back_n", window: null, timeout: 67e-3, lossless: true, oversubscription: 1,
    round_latencies: 1, call_overhead: 8.4e-6,
  },
  ethernet_10g: {
    bandwidth: 10e9, latency: 50e-6, jitter: 0, loss: 0, mtu: 1500, header_bytes: 52, frame_bytes: 38, ack_bytes: 90,
    ack_every: 2, transport: "tcp", window: null, timeout: 0.2, lossless: false, oversubscription: 1,
    round_latencies: 2, call_overhead: 0,
  },
  ethernet_1g: {
    bandwidth: 1e9, latency: 50e-6, jitter: 0, loss: 0, mtu: 1500, header_bytes: 52, frame_bytes: 38, ack_bytes: 90,
    ack_every: 2, transport: "tcp", window: null, timeout: 0.2, lossless: false, oversubscription: 1,
    round_latencies: 2, call_overhead: 0,
  },
  wifi: {
    bandwidth: 433e6, latency: 2e-3, jitter: 2e-3, loss: 1e-3, mtu: 1500, header_bytes: 52, frame_bytes: 38,
    ack_bytes: 90, ack_every: 2, transport: "tcp", window: null, timeout: 0.2, lossless: false, oversubscription: 1,
    round_latencies: 2, call_overhead: 0,
  },
};
