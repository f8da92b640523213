/** An experiment without a network: the runner gets a function in the place of the testbed. */

import { ConfigError } from '../../src/config/config-error.ts'
import { type ExperimentDefinition, parseExperiment } from '../../src/experiment/definition.ts'
import type { RunResult } from '../../src/experiment/measure.ts'
import { CLEAN, type Profile } from '../../src/link/profile/profile.ts'

export const SAMPLE = `
title = "Sample"
question = "Does it count?"
seeds = 3
duration_s = 2
warm_up_s = 0

[parameters]
profile = ["loss-1", "loss-5", "loss-10"]
encapsulation = ["datagram", "single-stream"]

[[exclude]]
profile = "loss-10"
encapsulation = "single-stream"

[probe.ping]
interval_ms = 50

[quick]
seeds = 1
parameters.profile = ["loss-1"]
`

/** Knows every profile whose name begins like one that is shipped. */
export function fakeProfile(name: string): Profile {
  if (!/^(loss-|clean|lte)/.test(name)) throw new ConfigError(name, [`there is no profile ${name}`])
  return { name, title: '', about: '', source: '', up: CLEAN, down: CLEAN, timeline: [] }
}

export function sampleDefinition(
  toml = SAMPLE,
  options: { quick?: boolean; seeds?: number } = {},
): ExperimentDefinition {
  return parseExperiment(toml, 'experiments/sample.toml', { ...options, loadProfile: fakeProfile })
}

/** What a run of the sample might have measured. */
export function fakeResult(rtt: number): RunResult {
  return {
    measurements: {
      'ping.rtt_p50_ms': rtt,
      'ping.rtt_p95_ms': rtt * 2,
      'ping.loss_percent': 1,
      'ping.jitter_ms': null,
    },
    samples: { 'ping.rtt_ms': [rtt, rtt + 1, rtt + 2] },
  }
}
