/** `npm run lab -- 3 --capture FILE`: in the terminal UI, or as text. */
import { printable } from '../../../src/text/printable.ts'
import { ASCII } from '../../kit/lab/marks.ts'
import { type Line, wrap } from '../../kit/lab/text.ts'
import type { CaptureRequest } from '../../kit/lab/types.ts'
import { plainLines } from '../byte-view.ts'
import { CaptureFileError } from './file.ts'
import { type CapturePages, headLine, openCapture, packetLines, rowLine } from './pages.ts'

/** Rows of bytes: enough for all headers. The rest is data. */
const PLAIN_BYTE_ROWS = 8

/** Returns the exit status. */
export async function showCapture(request: CaptureRequest): Promise<number> {
  const { file, packet, width, print, problem } = request
  let pages: CapturePages
  try {
    pages = openCapture(file)
  } catch (error) {
    if (!(error instanceof CaptureFileError)) throw error
    problem(error.message)
    return 1
  }
  if (packet !== undefined && packet > pages.rows.length) {
    problem(`${printable(file)} has no packet ${packet}: there are ${pages.rows.length}`)
    return 1
  }
  if (request.inTerminal) {
    const { openCaptureApp } = await import('./open-app.tsx')
    await openCaptureApp({ file, pages, ...(packet === undefined ? {} : { first: packet - 1 }) })
    return 0
  }
  if (packet !== undefined) print(packetText(pages, packet - 1, width))
  else printAll(pages, request)
  return 0
}

function printAll(pages: CapturePages, { file, width, print }: CaptureRequest): void {
  const { notes, rows } = pages
  print(wrap([{ text: `${printable(file)}: ${rows.length} ${rows.length === 1 ? 'packet' : 'packets'}` }], width))
  for (const note of notes) print(wrap([{ text: note }], width))
  if (rows.length === 0) return
  print([[], headLine(pages), ...rows.map((_, index) => rowLine(pages, index, width))])
  // One by one: of ten thousand packets it is a long text.
  for (const index of rows.keys()) print([[], ...packetText(pages, index, width)])
}

function packetText(pages: CapturePages, index: number, width: number): Line[] {
  return plainLines(packetLines(pages, index, { width, marks: ASCII, byteRows: PLAIN_BYTE_ROWS }))
}
