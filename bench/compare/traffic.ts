/** The inner traffic, the same for all contenders. 64 and 1000 bytes are payloads of UDP. */

export const ECHO_BYTES = 64
export const ECHO_EVERY_MS = 10
/** With the echo train 0.5 Mbit/s upwards: less than the slowest shipped profile carries. */
export const FLOW_BYTES = 1000
export const FLOW_EVERY_MS = 25
export const FLOW_KBIT = (8 * FLOW_BYTES) / FLOW_EVERY_MS
