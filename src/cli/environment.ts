/** What client and server also read, beside their configuration: at the end of their `--help`. */
export const ENVIRONMENT_HELP = `
Environment:
  MASQUE_UDP=auto|batched|dgram  UDP in batches (GSO and GRO of Linux), or a packet at a time (node:dgram); auto, the default: in
                                 batches where the system can. With log.level = "debug" the log says which it is, and why.
  SSLKEYLOGFILE=<file>           the TLS keys, for Wireshark, where quic.key_log names no file`
