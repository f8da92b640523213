/** Codes with which the driver itself ends connections. */

/** Transport errors (RFC 9000 §20.1). */
export const CONNECTION_REFUSED = 0x02
export const INVALID_TOKEN = 0x0b

/** Application errors. What runs on QUIC here is HTTP/3, so they are its codes (RFC 9114 §8.1). */
export const APPLICATION_NO_ERROR = 0x100
export const APPLICATION_INTERNAL_ERROR = 0x102
export const APPLICATION_EXCESSIVE_LOAD = 0x107
