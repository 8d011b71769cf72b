import type { DocValue } from '../types.js'
import { place, position, text } from './arguments.js'
import type { Content } from './content.js'
import { Kind, type Handle } from './raw.js'
import { Shared } from './shared.js'
import { SharedText } from './text.js'
import type { SharedValue, XmlChange } from './types.js'

/** What an XML fragment or element holds. */
export type XmlNode = SharedXmlElement | SharedXmlText

/**
 * A shared list of XML nodes, as the editors of the ProseMirror family keep their documents in.
 */
export class SharedXmlFragment extends Shared<XmlChange> implements Iterable<XmlNode> {
  protected constructor(content: Content, handle: Handle) {
    super(content, handle)
  }

  /** @internal */
  static create(content: Content, handle: Handle): SharedXmlFragment {
    return new SharedXmlFragment(content, handle)
  }

  /** How many child nodes it has. */
  get length(): number {
    return this.content.read(raw => raw.listLength(this.handle))
  }

  /** The child at an index, counted from the end if it's negative; the same object each time. */
  at(index: number): XmlNode | undefined {
    const found = place(index, this.length)
    if (found < 0) return undefined
    return node(this.content.value(this.content.read(raw => raw.listGet(this.handle, found))))
  }

  /** The children from `start` up to and without `end`; as `Array.prototype.slice` counts. */
  slice(start?: number, end?: number): XmlNode[] {
    return this.content.slice(this.handle, start, end).map(node).filter(child => child !== undefined)
  }

  /** Inserts a new element. @throws `OUT_OF_BOUNDS`, `INVALID_NAME` for a tag above 4 KiB. */
  insertElement(index: number, tag: string, attributes: { readonly [name: string]: DocValue } = {}): SharedXmlElement {
    position(index)
    text(tag, 'a tag')
    return this.content.change(() => {
      const handle = this.content.edit(raw => raw.xmlInsertElement(this.handle, index, tag))
      const element = this.content.shared(handle, Kind.xmlElement)
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
      return element
    })
  }

  /** Inserts a new text. @throws `OUT_OF_BOUNDS`. */
  insertText(index: number, initial = ''): SharedXmlText {
    position(index)
    return this.content.change(() => {
      const handle = this.content.edit(raw => raw.xmlInsertText(this.handle, index))
      const nested = this.content.shared(handle, Kind.xmlText)
      nested.insert(0, initial)
      return nested
    })
  }

  /** Deletes children. @throws `OUT_OF_BOUNDS` if there are less. */
  delete(index: number, length = 1): void {
    position(index)
    position(length)
    this.content.edit(raw => raw.listDelete(this.handle, index, length))
  }

  /** Deletes all children. */
  clear(): void {
    this.delete(0, this.length)
  }

  /** The children as they are when the iteration begins. */
  [Symbol.iterator](): IterableIterator<XmlNode> {
    return this.slice().values()
  }

  /** As XML, the way Yjs writes it: nothing is escaped, so never give it to a parser of HTML. */
  override toString(): string {
    return this.content.read(raw => raw.xmlToString(this.handle))
  }

  toJSON(): string {
    return this.toString()
  }
}

/** A shared XML element: a tag, attributes and child nodes. The last writer of an attribute wins. */
export class SharedXmlElement extends SharedXmlFragment {
  /** @internal */
  static override create(content: Content, handle: Handle): SharedXmlElement {
    return new SharedXmlElement(content, handle)
  }

  /** Its tag. */
  get tag(): string {
    return this.content.read(raw => raw.xmlTag(this.handle))
  }

  /** An attribute's value: a string, or what an editor of the ProseMirror family has put there. */
  getAttribute(name: string): SharedValue | undefined {
    text(name, 'the name of an attribute')
    return this.content.value(this.content.read(raw => raw.xmlGetAttribute(this.handle, name)))
  }

  setAttribute(name: string, value: DocValue): this {
    text(name, 'the name of an attribute')
    this.content.edit(raw => raw.xmlSetAttribute(this.handle, name, value))
    return this
  }

  removeAttribute(name: string): void {
    text(name, 'the name of an attribute')
    this.content.edit(raw => raw.xmlRemoveAttribute(this.handle, name))
  }

  /** All attributes. */
  attributes(): { [name: string]: DocValue } {
    // The module makes nothing else of attributes.
    return this.content.read(raw => raw.xmlAttributes(this.handle)) as { [name: string]: DocValue }
  }
}

/** A shared text among XML nodes. */
export class SharedXmlText extends SharedText {
  /** @internal */
  static override create(content: Content, handle: Handle): SharedXmlText {
    return new SharedXmlText(content, handle)
  }
}

function node(value: unknown): XmlNode | undefined {
  return value instanceof SharedXmlElement || value instanceof SharedXmlText ? value : undefined
}
