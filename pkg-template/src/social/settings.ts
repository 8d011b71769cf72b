import type { VivimDocument } from '../document.js'
import type { DocValue } from '../types.js'
import { SocialDocument, type SocialOptions } from './base.js'

export type SettingsEvent = 'owner:change' | 'settings:change'

/**
 * Somebody's settings: free values by name, of which the last writer wins, each for itself. They belong
 * to whoever edits them first, and nobody else may (`REFUSED`).
 */
export class SettingsCRDT extends SocialDocument<SettingsEvent> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('settings', doc, options)
  }

  /** Takes the settings as one's own before the first edit does. */
  create(): void {
    this.run('create')
  }

  /** Whose settings they are; null before the first edit. */
  getDid(): string | null {
    return this.view('did')
  }

  get(key: string): DocValue | undefined {
    return this.getAll()[key]
  }

  getAll(): { [key: string]: DocValue } {
    return this.view('settings')
  }

  /** Sets one; null takes it away. */
  set(key: string, value: DocValue): void {
    this.run('set', { key, value })
  }

  /** Sets some; null takes one away. */
  update(settings: { [key: string]: DocValue }): void {
    this.run('update', { changes: settings })
  }

  delete(key: string): void {
    this.run('delete', { key })
  }
}
