import { LOG_COMPONENTS } from '../config/log-section.ts'

/** What client and server also read, beside their configuration: at the end of their `--help`. */
export const ENVIRONMENT_HELP = `
Environment:
  MASQUE_UDP=auto|batched|dgram  UDP in batches (GSO and GRO of Linux), or a packet at a time (node:dgram); auto, the default: in
                                 batches where the system can. With MASQUE_LOG=quic=debug the log says which it is, and why.
  MASQUE_QUIC=auto|quiche|typescript
                                 the QUIC engine, where quic.engine says auto; auto, the default: quiche where its binary loads
  MASQUE_CRYPTO=auto|openssl|node
                                 how the engine in typescript protects packets: by OpenSSL's functions in Node, or by node:crypto, which takes
                                 longer; auto, the default: the former where they can be called
  MASQUE_LOG=info,quic=debug     what is logged: a level for all, levels for components, or both; takes the place of [log].
                                 Components: ${LOG_COMPONENTS.join(', ')}
  MASQUE_LOG_FORMAT=auto|pretty|json
                                 the log for people, or as lines of JSON; auto, the default: for people in a terminal. NO_COLOR, FORCE_COLOR
  SSLKEYLOGFILE=<file>           the TLS keys, for Wireshark, where quic.key_log names no file`
