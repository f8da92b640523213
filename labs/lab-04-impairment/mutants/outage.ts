/** Wrong solutions of `outage`. */
import { mutants } from '../../kit/grading/mutants.ts'

export default mutants('outage.ts', {
  'ack-delay-forgotten': {
    misconception: 'what the peer may delay is forgotten',
    says: 'may delay an acknowledgement',
    edits: [['Math.max(4 * rttVariationMs, 1) + maxAckDelayMs', 'Math.max(4 * rttVariationMs, 1)']],
  },
  'idle-below-outage': {
    misconception: 'the idle timeout is shorter than the outage',
    says: 'nothing arrives during an outage',
    file: 'client.toml',
    edits: [
      ['idle_timeout_ms = 12000', 'idle_timeout_ms = 2800'],
      ['keep_alive_ms = 4000', 'keep_alive_ms = 1000'],
    ],
  },
  'idle-for-ever': {
    misconception: 'a dead proxy is noticed after a minute',
    says: 'nothing left to survive',
    file: 'client.toml',
    edits: [['idle_timeout_ms = 12000', 'idle_timeout_ms = 60000']],
  },
  'idle-just-above': {
    misconception: 'the idle timeout is a little longer than the outage',
    says: 'as late again as the outage was long',
    file: 'client.toml',
    edits: [
      ['idle_timeout_ms = 12000', 'idle_timeout_ms = 4000'],
      ['keep_alive_ms = 4000', 'keep_alive_ms = 1000'],
    ],
  },
  'larger-timeout': {
    misconception: 'the larger idle timeout counts',
    says: 'the smaller one counts',
    edits: [['return Math.min(ownMs, peerMs)', 'return Math.max(ownMs, peerMs)']],
  },
  nervous: {
    misconception: 'five keep-alives in a second',
    says: 'never sleeps',
    file: 'client.toml',
    edits: [['keep_alive_ms = 4000', 'keep_alive_ms = 200']],
  },
  'no-answer': {
    misconception: 'the answer takes no time',
    says: 'takes a round trip',
    edits: [['return probeMs + roundTripMs', 'return probeMs']],
  },
  'no-backoff': {
    misconception: 'probes at equal distances',
    says: 'the waiting doubles',
    edits: [['2 ** (i + 1) - 1', 'i + 1']],
  },
  'no-granularity': {
    misconception: 'no lower bound for the variation',
    says: 'at least 1 ms',
    edits: [['Math.max(4 * rttVariationMs, 1)', '4 * rttVariationMs']],
  },
  'no-keep-alive': {
    misconception: 'nothing is sent on a quiet tunnel',
    says: 'being quiet looks like being dead',
    file: 'client.toml',
    edits: [['keep_alive_ms = 4000', 'keep_alive_ms = 0']],
  },
  'not-added-up': {
    misconception: 'probes at 1, 2, 4, 8 timeouts',
    says: 'each wait begins with the probe before it',
    edits: [['(2 ** (i + 1) - 1)', '2 ** i']],
  },
  'one-ping': {
    misconception: 'one keep-alive in an idle timeout',
    says: 'the loss of one of them',
    file: 'client.toml',
    edits: [['keep_alive_ms = 4000', 'keep_alive_ms = 11000']],
  },
  'one-timeout-at-worst': {
    misconception: 'at worst one probe timeout',
    says: 'the longer is the last pause',
    edits: [['return probeTimeout * 2 ** lost + roundTripMs', 'return probeTimeout + roundTripMs']],
  },
  'a-bound': {
    misconception: 'at worst as long again as the outage, and one timeout',
    says: 'this is a bound',
    edits: [['return probeTimeout * 2 ** lost + roundTripMs', 'return outageMs + probeTimeout + roundTripMs']],
  },
  'one-probe-more': {
    misconception: 'a probe is counted for which the outage is too short',
    says: 'do not fit into the outage',
    edits: [['2 ** (lost + 1) - 1', '2 ** lost - 1']],
  },
  'wakes-up': {
    misconception: 'the end of the outage wakes the sender',
    says: 'wakes nobody up',
    edits: [
      [
        `let probeMs = sentMs
        for (let wait = probeTimeout; probeMs < outageEndMs || probeMs === sentMs; wait *= 2) probeMs += wait
        return probeMs + roundTripMs`,
        'return outageEndMs + roundTripMs',
      ],
    ],
  },
  'zero-timeout': {
    misconception: '0 is taken for a timeout of zero',
    says: '0 is no timeout of zero',
    edits: [['if (ownMs === 0 || peerMs === 0) return Math.max(ownMs, peerMs)', '']],
  },
})
