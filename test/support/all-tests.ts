/** Loaded before all tests (.mocharc.json). */

import { config } from 'chai'
import fc from 'fast-check'

// A property test that says how long its input may be means inputs of all lengths up to that. By itself fast-check makes ten elements at most, which is
// not even an IP header.
fc.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true })

// What a failing test found is told whole: of a test that fails once in a hundred runs there is nothing but its message. By itself chai cuts values at 40 characters.
config.truncateThreshold = 0
