import { expect } from 'chai'
import { bitsPerSecond, bytes, fraction, timeMs } from '../../../src/link/profile/tc-units.ts'

/** Right as iproute2 6.1 reads them; what tc does not know, and a number without a unit, is none. */
const TABLE: [(text: string) => number | undefined, [string, number | undefined][]][] = [
  [
    bitsPerSecond,
    [
      ['10mbit', 10e6],
      ['10Mbit', 10e6],
      ['10MBIT', 10e6],
      ['1Gbit', 1e9],
      ['1.5gbit', 1.5e9],
      ['1tbit', 1e12],
      ['64kbit', 64e3],
      ['64Kibit', 65536],
      ['1Mibit', 1024 ** 2],
      ['1Gibit', 1024 ** 3],
      ['800bit', 800],
      ['8bps', 64],
      ['1kbps', 8e3],
      ['10mbps', 80e6],
      ['10MBps', 80e6],
      ['1GBps', 8e9],
      ['1KiBps', 8192],
      ['1MiBps', 8 * 1024 ** 2],
      ['10', undefined],
      ['10mb', undefined],
      ['10m', undefined],
      ['10 mbit', undefined],
      ['mbit', undefined],
      ['-1mbit', undefined],
    ],
  ],
  [
    timeMs,
    [
      ['100ms', 100],
      ['100msec', 100],
      ['100msecs', 100],
      ['100MS', 100],
      ['1s', 1000],
      ['1sec', 1000],
      ['1.5secs', 1500],
      ['250us', 0.25],
      ['250usec', 0.25],
      ['250usecs', 0.25],
      ['500ns', 0.0005],
      ['500nsecs', 0.0005],
      ['.5ms', 0.5],
      ['1.ms', 1],
      ['2min', 120_000],
      ['100', undefined],
      ['1h', undefined],
      ['1m', undefined],
      ['1e2ms', undefined],
    ],
  ],
  [
    bytes,
    [
      ['1500b', 1500],
      ['4kb', 4096],
      ['4k', 4096],
      ['4KB', 4096],
      ['1mb', 1024 ** 2],
      ['1g', 1024 ** 3],
      ['32kbit', 4096],
      ['1mbit', 131_072],
      ['1600', undefined],
      ['4kib', undefined],
    ],
  ],
  [
    fraction,
    [
      ['2%', 0.02],
      ['2', 0.02],
      ['0.3%', 0.003],
      ['100', 1],
      ['101%', undefined],
      ['2 %', undefined],
      ['%', undefined],
      ['-1%', undefined],
    ],
  ],
]

describe('link/profile/tc-units', () => {
  for (const [read, rows] of TABLE) {
    for (const [text, value] of rows) {
      it(`${read.name} of "${text}" is ${value ?? 'none'}`, () => {
        if (value === undefined) expect(read(text)).to.equal(undefined)
        else expect(read(text)).to.be.closeTo(value, value * 1e-12)
      })
    }
  }
})
