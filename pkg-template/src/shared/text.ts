import type { DocValue } from '../types.js'
import { position, text } from './arguments.js'
import type { Content } from './content.js'
import type { Handle } from './raw.js'
import { Shared } from './shared.js'
import type { TextAttributes, TextChange, TextDelta } from './types.js'

/**
 * A shared text, plain or with formatting. Positions and lengths count UTF-16 code units, as
 * JavaScript's strings do; a value embedded in the text counts one.
 *
 * Concurrent edits are merged letter by letter. Neighbouring edits of one turn are written together,
 * so typing costs little; every read sees them.
 */
export class SharedText extends Shared<TextChange> {
  protected constructor(content: Content, handle: Handle) {
    super(content, handle)
  }

  /** @internal */
  static create(content: Content, handle: Handle): SharedText {
    return new SharedText(content, handle)
  }

  /** Its length in UTF-16 code units. */
  get length(): number {
    return this.content.read(raw => raw.textLength(this.handle))
  }

  /**
   * Inserts at a position. Without `attributes` the text is formatted as what is before it.
   *
   * @throws `OUT_OF_BOUNDS` behind the end, `TOO_LARGE` above what one update may carry.
   */
  insert(index: number, inserted: string, attributes?: TextAttributes): void {
    position(index)
    text(inserted, 'what is inserted into a text')
    this.content.edit(raw => {
      if (attributes === undefined) raw.textInsert(this.handle, index, inserted)
      else raw.textInsertFormatted(this.handle, index, inserted, attributes)
    })
  }

  /** Inserts a plain value, such as the description of a picture, which counts one. */
  insertEmbed(index: number, value: DocValue, attributes?: TextAttributes): void {
    position(index)
    this.content.edit(raw => raw.textInsertEmbed(this.handle, index, value, attributes))
  }

  /** Inserts at the end. */
  append(inserted: string, attributes?: TextAttributes): void {
    this.insert(this.length, inserted, attributes)
  }

  /** Deletes `length` code units. @throws `OUT_OF_BOUNDS` if there are less. */
  delete(index: number, length: number): void {
    position(index)
    position(length)
    this.content.edit(raw => raw.textDelete(this.handle, index, length))
  }

  /** Formats a range; an attribute of `null` is taken away. @throws `OUT_OF_BOUNDS`. */
  format(index: number, length: number, attributes: TextAttributes): void {
    position(index)
    position(length)
    this.content.edit(raw => raw.textFormat(this.handle, index, length, attributes))
  }

  /** The text without its formatting and without what is embedded. */
  override toString(): string {
    return this.content.read(raw => raw.textToString(this.handle))
  }

  toJSON(): string {
    return this.toString()
  }

  /** The text with its formatting and what is embedded, as Quill and Yjs have it. */
  toDelta(): TextDelta {
    return this.content.delta(this.content.read(raw => raw.textDelta(this.handle)))
  }

  /**
   * Makes several edits at once: what is kept, inserted and deleted, from the beginning. Text that is
   * inserted has exactly the attributes given. The whole delta is one change.
   *
   * @throws `OUT_OF_BOUNDS` if it's longer than the text: then nothing is changed.
   */
  applyDelta(delta: TextDelta): void {
    this.content.edit(raw => raw.textApplyDelta(this.handle, delta))
  }
}
