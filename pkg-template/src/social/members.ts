import { SocialDocument, type Changes } from './base.js'

/** Conversations, circles, groups and teams: what has members and an owner. */
export abstract class MembersDocument<Event extends string, Member extends { id: string }, Role extends string> extends SocialDocument<Event> {
  /**
   * Makes the author the owner. Before, nothing else is allowed; a document that has an owner refuses
   * it. Do it once, where the document is made, and not wherever it is opened.
   */
  create(self: Partial<Member> = {}): void {
    this.run('create', { member: self })
  }

  /** Leaves. The owner can't: they transfer the ownership first, or delete it all. */
  leave(): void {
    this.run('leave')
  }

  /** Makes a member the owner, by id or DID. Only the owner may. */
  transferOwnership(id: string): void {
    this.run('transferOwnership', { id })
  }

  /** The owner's DID; null before anything was created. */
  getOwner(): string | null {
    return this.view('owner')
  }

  /** Somebody's role; null if they are no member. */
  getRole(did: string): Role | null {
    return this.view('role', { did })
  }

  /** Whether this is the owner. */
  isOwner(did: string): boolean {
    return this.getOwner() === did
  }

  /** Whether the owner has deleted it all. */
  isDeleted(): boolean {
    return this.view('isDeleted')
  }

  getMemberCount(): number {
    return this.view('memberCount')
  }

  /** Deletes it all, for everybody and for good. Only the owner may. */
  protected deleteAll(): void {
    this.run('delete')
  }

  protected update(id: string, changes: Changes<Member>): void {
    this.run('updateMember', { id, changes })
  }
}

/** Where one can ask to be let in. */
export abstract class JoinableDocument<Event extends string, Member extends { id: string; userDid: string; role: Role }, Role extends string>
  extends MembersDocument<Event, Member, Role> {
  /** Joins, where everybody may; asks to be let in, where that's the way. Tells which it was. */
  join(self: Partial<Member> = {}): 'joined' | 'requested' {
    return this.run('join', { member: self }) as 'joined' | 'requested'
  }

  /** Those who ask to be let in. */
  getJoinRequests(): JoinRequest[] {
    return this.view('joinRequests')
  }

  /** Lets somebody in who has asked. */
  approveJoin(did: string): void {
    this.run('approveJoin', { did })
  }

  /** Doesn't let somebody in; withdraws, if it's one's own request. */
  rejectJoin(did: string): void {
    this.run('rejectJoin', { did })
  }

  /** All members, in the order in which they joined. */
  getMembers(): Member[] {
    return this.view('members')
  }

  /** A member by DID. */
  getMember(did: string): Member | undefined {
    return this.getMembers().find(member => member.userDid === did)
  }

  isMember(did: string): boolean {
    return this.getRole(did) !== null
  }

  /** Whether this is the owner or an admin. */
  isAdmin(did: string): boolean {
    const role = this.getRole(did)
    return role === 'owner' || role === 'admin'
  }

  /** Adds somebody; nobody gives a role above their own. */
  addMember(member: Partial<Member> & { userDid: string }): void {
    this.run('addMember', { member })
  }

  /** Removes a member, by id or DID. */
  removeMember(id: string): void {
    this.run('removeMember', { id })
  }

  /** Changes a member, by id or DID: the role, or free fields. */
  updateMember(id: string, changes: Changes<Member>): void {
    this.update(id, changes)
  }

  /** Changes a member's role, by id or DID. */
  updateMemberRole(id: string, role: Role): void {
    this.run('updateMember', { id, changes: { role } })
  }
}

/** Somebody who asks to be let in. */
export interface JoinRequest {
  userDid: string
  displayName: string
  avatar?: string
  requestedAt: number
}
