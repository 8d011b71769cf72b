import type { VivimDocument } from '../document.js'
import type { DocValue } from '../types.js'
import { byField, SocialDocument, type Adding, type SocialOptions } from './base.js'
import type { Block } from './friend.js'

export type FollowStatus = 'pending' | 'active' | 'blocked'

/** Who follows whom. */
export interface FollowData {
  id: string
  followerDid: string
  followingDid: string
  status: FollowStatus
  /** Default false. */
  notifyOnPost: boolean
  /** Default true. */
  showInFeed: boolean
  createdAt: number
  /** Who has blocked the other, if the status is `blocked`. */
  blockedBy?: string
  metadata: { [key: string]: DocValue }
}

export type FollowEvent = 'follows:change'

/**
 * Who follows whom, one row for each pair. A private account lets its followers in one by one. What the
 * rules don't allow throws `REFUSED`.
 */
export class FollowCRDT extends SocialDocument<FollowEvent> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('follow', doc, options)
  }

  /** All follows by id. */
  get follows(): ReadonlyMap<string, FollowData> {
    return byField(this.getFollows(), 'id')
  }

  getFollows(): FollowData[] {
    return this.view('follows')
  }

  /** Follows somebody; gives the follow's id. It waits for approval where the account is private. */
  addFollow(follow: Adding<Omit<FollowData, 'status' | 'blockedBy'>, 'followingDid'>): string {
    return this.runWithId('addFollow', 'follow', follow)
  }

  /** Lets a follower in, or blocks them. */
  updateFollowStatus(id: string, status: 'active' | 'blocked'): void {
    this.run('updateFollowStatus', { id, status })
  }

  approveFollow(id: string): void {
    this.run('approveFollow', { id })
  }

  /** Doesn't let a follower in. */
  rejectFollow(id: string): void {
    this.run('rejectFollow', { id })
  }

  /** Changes what the follower is told and shown. */
  updateNotificationSettings(id: string, notifyOnPost?: boolean, showInFeed?: boolean): void {
    this.run('updateNotificationSettings', { id, notifyOnPost, showInFeed })
  }

  /** Follows no more. */
  removeFollow(id: string): void {
    this.run('removeFollow', { id })
  }

  /** Blocks a follower, by DID or by the follow's id. */
  block(id: string): void {
    this.run('block', { id })
  }

  /** Ends a block of one's own. The follow doesn't come back by itself. */
  unblock(id: string): void {
    this.run('unblock', { id })
  }

  getBlocks(): Block[] {
    return this.view('blocks')
  }

  /** Makes one's own account private or public. Who follows already isn't asked again. */
  setPrivate(isPrivate: boolean): void {
    this.run('setPrivate', { private: isPrivate })
  }

  isPrivate(did: string = this.did): boolean {
    return this.view('isPrivate', { did })
  }

  /** Who follows somebody. */
  getFollowers(did: string = this.did): FollowData[] {
    return this.view('followers', { did })
  }

  /** Whom somebody follows. */
  getFollowing(did: string = this.did): FollowData[] {
    return this.view('following', { did })
  }

  /** Who waits to be let in. */
  getPendingFollowers(did: string = this.did): FollowData[] {
    return this.view('pendingFollowers', { did })
  }

  /** Whether the first follows the second. */
  isFollowing(a: string, b: string): boolean {
    return this.view('isFollowing', { a, b })
  }

  getFollowerCount(did: string = this.did): number {
    return this.view('followerCount', { did })
  }

  getFollowingCount(did: string = this.did): number {
    return this.view('followingCount', { did })
  }
}
