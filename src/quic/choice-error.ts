/** What the configuration or the environment wants QUIC to run on cannot be had on this machine, or there is no such thing. */
export class ChoiceError extends Error {
  override name = 'ChoiceError'
}
