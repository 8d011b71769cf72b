export { SharedArray } from './array.js'
export { SharedMap, SharedMap as DocMap } from './map.js'
export { SharedText, SharedText as DocText } from './text.js'
export { SharedXmlElement, SharedXmlFragment, SharedXmlText } from './xml.js'
export { UndoManager } from './undo.js'
export type { AbsolutePosition, RelativePosition } from './content.js'
export type { XmlNode } from './xml.js'
export type { UndoEvents, UndoOptions } from './undo.js'
export type {
  ArrayChange, ArrayDelta, ArrayDeltaOp, ChangeOf, ChangeOrigin, KeyChange, MapChange, SharedChange, SharedType, SharedValue,
  TextAttributes, TextChange, TextDelta, TextDeltaOp, XmlChange,
} from './types.js'
