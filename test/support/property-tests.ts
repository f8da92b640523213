/**
 * Loaded before all tests (.mocharc.json). A property test that says how long its input may be means inputs of all lengths up to that. By itself fast-check
 * makes ten elements at most, which is not even an IP header.
 */

import fc from 'fast-check'

fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true })
