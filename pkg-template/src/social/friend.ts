import type { VivimDocument } from '../document.js'
import type { DocValue } from '../types.js'
import { byField, SocialDocument, type Adding, type SocialOptions } from './base.js'

export type FriendStatus = 'pending' | 'accepted' | 'rejected' | 'blocked' | 'cancelled'

/** A request to be friends, and what came of it. */
export interface FriendData {
  id: string
  requesterDid: string
  addresseeDid: string
  status: FriendStatus
  message?: string
  requestedAt: number
  respondedAt?: number
  /** Who has blocked the other, if the status is `blocked`. */
  blockedBy?: string
  metadata: { [key: string]: DocValue }
}

/** A request that waits for its answer. */
export type PendingRequest = FriendData & { status: 'pending' }

/** One person's settings about friends. */
export interface FriendSettings {
  /** Default true. */
  notifyOnAccept: boolean
  /** Default false. */
  shareActivity: boolean
  /** Default true. */
  showInProfile: boolean
}

/** Who has blocked whom. */
export interface Block {
  blockerDid: string
  blockedDid: string
}

export type FriendEvent = 'friends:change' | 'settings:change'

type NewRequest = Adding<Omit<FriendData, 'status' | 'blockedBy'>, 'addresseeDid'> & { status?: 'pending' }

/**
 * Who is friends with whom. The one who is asked answers; the one who asked may cancel; either may end a
 * friendship or block the other, and only who has blocked may unblock. Requests that cross are a
 * friendship. What the rules don't allow throws `REFUSED`.
 */
export class FriendCRDT extends SocialDocument<FriendEvent> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('friend', doc, options)
  }

  /** All friendships by id. */
  get friends(): ReadonlyMap<string, FriendData> {
    return byField(this.getAcceptedFriends(), 'id')
  }

  /** All requests that wait, by id. */
  get pendingRequests(): ReadonlyMap<string, PendingRequest> {
    return byField(this.view<PendingRequest[]>('pending'), 'id')
  }

  /** All requests, whatever came of them, in their order. */
  getFriends(): FriendData[] {
    return this.view('friends')
  }

  getFriendsByStatus(status: FriendStatus): FriendData[] {
    return this.view('byStatus', { status })
  }

  getAcceptedFriends(): FriendData[] {
    return this.view('accepted')
  }

  /** The requests that somebody has sent and that wait; one's own if nobody is named. */
  getPendingSent(did: string = this.did): PendingRequest[] {
    return this.view('pendingSent', { did })
  }

  /** The requests that somebody has got and that wait; one's own if nobody is named. */
  getPendingReceived(did: string = this.did): PendingRequest[] {
    return this.view('pendingReceived', { did })
  }

  areFriends(a: string, b: string): boolean {
    return this.view('areFriends', { a, b })
  }

  /** Asks somebody to be friends; gives the request's id. A second one of the same id is none. */
  sendRequest(request: NewRequest): string {
    return this.runWithId('sendRequest', 'request', request)
  }

  /** The same as {@link sendRequest}: nobody becomes a friend without being asked. */
  addFriend(friend: NewRequest): string {
    return this.sendRequest(friend)
  }

  acceptRequest(requestId: string): void {
    this.run('acceptRequest', { id: requestId })
  }

  rejectRequest(requestId: string): void {
    this.run('rejectRequest', { id: requestId })
  }

  cancelRequest(requestId: string): void {
    this.run('cancelRequest', { id: requestId })
  }

  /** Accepts, rejects, cancels or blocks. */
  updateFriendStatus(id: string, status: Exclude<FriendStatus, 'pending'>): void {
    this.run('updateFriendStatus', { id, status })
  }

  /** Ends a friendship, or clears an old request away. */
  removeFriend(friendId: string): void {
    this.run('removeFriend', { id: friendId })
  }

  /** Blocks somebody, by DID or by the id of what is between the two. */
  block(id: string): void {
    this.run('block', { id })
  }

  /** Ends a block of one's own. What was before doesn't come back by itself. */
  unblock(id: string): void {
    this.run('unblock', { id })
  }

  getBlocks(): Block[] {
    return this.view('blocks')
  }

  /** Somebody's settings; one's own if nobody is named. */
  getSettings(did: string = this.did): FriendSettings {
    return this.view('settings', { did })
  }

  /** Changes some of one's own settings. */
  updateSettings(settings: Partial<FriendSettings>): void {
    this.run('updateSettings', { changes: settings })
  }
}
