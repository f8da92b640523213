/** Which packet is looked at, and which part of it: from one key to the next. */
import { maxScroll } from '../../kit/ui/geometry.ts'

export interface Browsing {
  /** Its row in the list. */
  selected: number
  /** It is shown byte by byte, and not the list. */
  isOpen: boolean
  /** Rows of it above the window. */
  scroll: number
}

/** What there is to look at now. */
export interface Sight {
  packets: number
  /** Rows of the window: for the list, and for a packet. */
  listRows: number
  packetRows: number
  /** Rows of the packet. */
  packetLines: number
}

/** A key, by its character or its name. */
export type BrowseKey = string

/** Undefined: it is over. */
export function pressed(state: Browsing, key: BrowseKey, sight: Sight): Browsing | undefined {
  if (key === 'q') return undefined
  return state.isOpen ? inPacket(state, key, sight) : inList(state, key, sight)
}

function inList(state: Browsing, key: BrowseKey, sight: Sight): Browsing {
  const to = (selected: number): Browsing => at(state, selected, sight)
  switch (key) {
    case 'j':
    case 'down':
      return to(state.selected + 1)
    case 'k':
    case 'up':
      return to(state.selected - 1)
    case ' ':
    case 'pagedown':
      return to(state.selected + sight.listRows)
    case 'b':
    case 'pageup':
      return to(state.selected - sight.listRows)
    case 'g':
      return to(0)
    case 'G':
      return to(sight.packets - 1)
    case 'enter':
    case 'right':
      return sight.packets === 0 ? state : { ...state, isOpen: true, scroll: 0 }
    default:
      return state
  }
}

function inPacket(state: Browsing, key: BrowseKey, sight: Sight): Browsing {
  const scrolled = (by: number): Browsing => {
    const most = maxScroll(sight.packetLines, sight.packetRows)
    return { ...state, scroll: Math.max(0, Math.min(most, state.scroll + by)) }
  }
  switch (key) {
    case 'j':
    case 'down':
      return scrolled(1)
    case 'k':
    case 'up':
      return scrolled(-1)
    case ' ':
    case 'pagedown':
      return scrolled(sight.packetRows - 1)
    case 'b':
    case 'pageup':
      return scrolled(1 - sight.packetRows)
    case ']':
    case 'n':
    case 'right':
      return at(state, state.selected + 1, sight)
    case '[':
    case 'p':
    case 'left':
      return at(state, state.selected - 1, sight)
    case 'escape':
      return { ...state, isOpen: false, scroll: 0 }
    default:
      return state
  }
}

function at(state: Browsing, wanted: number, { packets }: Sight): Browsing {
  const selected = Math.max(0, Math.min(packets - 1, wanted))
  return selected === state.selected ? state : { ...state, selected, scroll: 0 }
}
