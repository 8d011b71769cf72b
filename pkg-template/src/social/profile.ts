import type { VivimDocument } from '../document.js'
import type { SharedText } from '../shared/text.js'
import type { DocValue } from '../types.js'
import { SocialDocument, type SocialOptions } from './base.js'

/** A whole profile. */
export interface ProfileData {
  /** Whose it is; null before the first edit. */
  did: string | null
  displayName: string
  bio: string
  avatar: { [key: string]: DocValue }
  /** Ids of circles. */
  circles: string[]
}

export type ProfileEvent = 'owner:change' | 'displayName:change' | 'bio:change' | 'avatar:change' | 'circles:change'

/** Somebody's profile. It belongs to whoever edits it first, and nobody else may (`REFUSED`). */
export class ProfileCRDT extends SocialDocument<ProfileEvent> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('profile', doc, options)
  }

  /** The name as a shared text, for an editor that binds it. */
  get displayName(): SharedText {
    return this.doc.text('displayName')
  }

  /** The biography as a shared text, for an editor that binds it. */
  get bio(): SharedText {
    return this.doc.text('bio')
  }

  /** Takes the profile as one's own before the first edit does. */
  create(): void {
    this.run('create')
  }

  getProfile(): ProfileData {
    return {
      did: this.getDid(), displayName: this.getDisplayName(), bio: this.getBio(), avatar: this.getAvatar(), circles: this.getCircles(),
    }
  }

  /** Whose profile it is; null before the first edit. */
  getDid(): string | null {
    return this.view('did')
  }

  getDisplayName(): string {
    return this.view('displayName')
  }

  setDisplayName(displayName: string): void {
    this.run('setDisplayName', { displayName })
  }

  getBio(): string {
    return this.view('bio')
  }

  setBio(bio: string): void {
    this.run('setBio', { bio })
  }

  getAvatar(): { [key: string]: DocValue } {
    return this.view('avatar')
  }

  /** Sets some fields of the picture, such as its address; null takes one away. */
  setAvatar(changes: { [key: string]: DocValue }): void {
    this.run('setAvatar', { changes })
  }

  getCircles(): string[] {
    return this.view('circles')
  }

  addCircle(id: string): void {
    this.run('addCircle', { id })
  }

  removeCircle(id: string): void {
    this.run('removeCircle', { id })
  }
}
