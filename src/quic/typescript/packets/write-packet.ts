export { appendLongHeader, finishLongHeader, longHeaderLength } from './long-header.ts'
export { appendShortHeader } from './short-header.ts'
