import type { VivimDocument } from '../document.js'
import type { SharedText } from '../shared/text.js'
import type { DocValue } from '../types.js'
import { byField, type Adding, type Changes, type SocialOptions } from './base.js'
import { MembersDocument } from './members.js'

export type CircleRole = 'owner' | 'admin' | 'moderator' | 'member' | 'viewer'

/** What a member of a circle may, by their role and beyond it. */
export interface CirclePermissions {
  read: boolean
  write: boolean
  invite: boolean
  remove: boolean
  manageSettings: boolean
}

/** A member of a circle. */
export interface CircleMember {
  id: string
  did: string
  displayName: string
  avatar?: string
  role: CircleRole
  joinedAt: number
  /** By whom; a DID. */
  addedBy?: string
  permissions: CirclePermissions
}

export interface CircleSettings {
  /** Who may see it: members with the permission to read, all members, everybody. Default `private`. */
  visibility: 'private' | 'circle' | 'public'
  /** Who may post and share. Default `owner-only`. */
  sharingPolicy: 'owner-only' | 'moderators' | 'all-members'
  /** Default `realtime`. */
  syncMode: 'realtime' | 'periodic' | 'manual'
  /** Default true. */
  encryption: boolean
  maxMembers?: number
}

/** A post in a circle. */
export interface CirclePost {
  id: string
  authorId: string
  content: string
  timestamp: number
  editedAt?: number
  attachments: DocValue[]
  metadata?: { [key: string]: DocValue }
}

/** A piece of content that a circle shares. */
export interface ContentRef {
  type: string
  id: string
  addedBy?: string
  addedAt?: number
}

/** What a member may do, and who said so. */
export interface CircleCapability {
  memberDid: string
  roles: CircleRole[]
  permissions: (keyof CirclePermissions)[]
  grantedBy: string
  grantedAt: number
}

export interface CircleInvitation {
  id: string
  inviteeDid: string
  inviterDid: string
  role: CircleRole
  roles: CircleRole[]
  status: 'pending' | 'accepted' | 'rejected' | 'expired'
  createdAt: number
  expiresAt: number
}

/** Something that was done about rights in a circle. */
export interface CircleAuditEntry {
  id: string
  action: string
  actorDid: string
  targetDid?: string
  details: { [key: string]: DocValue }
  timestamp: number
}

export type CircleEvent =
  | 'name:change' | 'description:change' | 'members:change' | 'posts:change' | 'settings:change' | 'content:change'
  | 'invitations:change' | 'requests:change' | 'audit:change'

type NewMember = Adding<Omit<CircleMember, 'permissions'>, 'did'> & { permissions?: Partial<CirclePermissions> }
type MemberChanges = Changes<Omit<CircleMember, 'permissions'>> & { permissions?: Partial<CirclePermissions> }

/**
 * A circle: people with roles and permissions, what they post, and what they share.
 *
 * Nobody gives a role above their own or a permission that they haven't, and the ownership changes only
 * by {@link transferOwnership}. What the rules don't allow throws `REFUSED`.
 */
export class CircleCRDT extends MembersDocument<CircleEvent, CircleMember, CircleRole> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('circle', doc, options)
  }

  /** The name as a shared text, for an editor that binds it. */
  get name(): SharedText {
    return this.doc.text('name')
  }

  /** The description as a shared text, for an editor that binds it. */
  get description(): SharedText {
    return this.doc.text('description')
  }

  /** All members by id, see {@link getMembers}. */
  get members(): ReadonlyMap<string, CircleMember> {
    return byField(this.getMembers(), 'id')
  }

  /** All posts, see {@link getPosts}. */
  get posts(): CirclePost[] {
    return this.getPosts()
  }

  /** All settings, see {@link getSettings}. */
  get settings(): CircleSettings {
    return this.getSettings()
  }

  getName(): string {
    return this.view('name')
  }

  /** Edits the name into this one. Edits of others at the same time stay, too. */
  setName(name: string): void {
    this.run('setName', { name })
  }

  getDescription(): string {
    return this.view('description')
  }

  /** Edits the description into this one. Edits of others at the same time stay, too. */
  setDescription(description: string): void {
    this.run('setDescription', { description })
  }

  /** All members, in the order in which they joined. */
  getMembers(): CircleMember[] {
    return this.view('members')
  }

  /** Adds somebody, by the permission to invite. To ask them first, use {@link invite}. */
  addMember(member: NewMember): void {
    this.run('addMember', { member })
  }

  /** Removes a member of a lower role, by id or DID; or oneself. */
  removeMember(memberId: string): void {
    this.run('removeMember', { id: memberId })
  }

  /** Changes a member, by id or DID: role, permissions, name, picture. */
  updateMember(memberId: string, changes: MemberChanges): void {
    this.run('updateMember', { id: memberId, changes })
  }

  getPosts(): CirclePost[] {
    return this.view('posts')
  }

  /** Appends a post in one's own name, by the sharing policy; gives its id. */
  addPost(post: Adding<CirclePost, 'content'>): string {
    return this.runWithId('addPost', 'post', post)
  }

  /** Changes what one has posted. */
  editPost(id: string, content: string): void {
    this.run('editPost', { id, content })
  }

  /** Removes a post: its author may, and members who may remove. */
  removePost(id: string): void {
    this.run('removePost', { id })
  }

  getContentRefs(): ContentRef[] {
    return this.view('contentRefs')
  }

  /** Shares content, by the sharing policy. The same type and id a second time is none. */
  addContentRef(ref: { type: string; id: string }): void {
    this.run('addContentRef', { ref })
  }

  removeContentRef(type: string, id: string): void {
    this.run('removeContentRef', { type, id })
  }

  getSettings(): CircleSettings {
    return this.view('settings')
  }

  /** Changes some settings, each for itself. Null takes the limit of members away. */
  updateSettings(settings: Changes<CircleSettings>): void {
    this.run('updateSettings', { changes: settings })
  }

  getInvitations(): CircleInvitation[] {
    return this.view('invitations', { now: this.now() })
  }

  /** Invites somebody, for 30 days if nothing else is said; gives the invitation's id. */
  invite(invitation: Adding<Omit<CircleInvitation, 'roles' | 'status'>, 'inviteeDid'>): string {
    return this.runWithId('invite', 'invitation', invitation)
  }

  /** Becomes a member by an invitation. */
  acceptInvitation(id: string): void {
    this.run('acceptInvitation', { id })
  }

  /** Declines an invitation, or takes one back. */
  rejectInvitation(id: string): void {
    this.run('rejectInvitation', { id })
  }

  getCapabilities(): CircleCapability[] {
    return this.view('capabilities')
  }

  getAuditLog(): CircleAuditEntry[] {
    return this.view('auditLog')
  }

  /** Whether the settings let the author see the circle, for applications that hand content out. */
  canSee(): boolean {
    return this.refusal('see') === undefined
  }

  /** Deletes the circle, for everybody and for good. Only the owner may. */
  deleteCircle(): void {
    this.deleteAll()
  }
}
