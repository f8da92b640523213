/** In bytes, the same for all cipher suites of TLS 1.3. */

/** What the AEAD adds. */
export const TAG_LENGTH = 16

/** What header protection looks at (RFC 9001 §5.4.2). */
export const SAMPLE_LENGTH = 16

/** Of the AEAD's nonce, which is that of its IV (§5.3). */
export const NONCE_LENGTH = 12
