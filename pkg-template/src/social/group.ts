import type { VivimDocument } from '../document.js'
import type { DocValue } from '../types.js'
import { byField, type Adding, type Changes, type SocialOptions } from './base.js'
import { JoinableDocument } from './members.js'

export type GroupRole = 'owner' | 'admin' | 'moderator' | 'member'

/** A member of a group. */
export interface GroupMemberData {
  id: string
  userDid: string
  displayName: string
  avatar?: string
  role: GroupRole
  /** Default true. */
  notifyOnPost: boolean
  /** Default true. */
  showInFeed: boolean
  /** Counted from the posts. */
  postCount: number
  joinedAt: number
  /** By whom; a DID. */
  addedBy?: string
  metadata: { [key: string]: DocValue }
}

export type GroupContentType = 'text' | 'image' | 'link' | 'acu'

/** A post in a group. */
export interface GroupPostData {
  id: string
  groupId: string
  authorDid: string
  content: string
  contentType: GroupContentType
  acuId?: string
  attachments: DocValue[]
  /** Who likes it. */
  likes: string[]
  /** Counted from the likes. */
  likeCount: number
  /** Counted from the comments. */
  commentCount: number
  createdAt: number
  updatedAt: number
  metadata: { [key: string]: DocValue }
}

export interface GroupComment {
  id: string
  postId: string
  authorDid: string
  content: string
  createdAt: number
}

export interface GroupSettings {
  /** How one joins: at once, by asking, by invitation only. Default `approval`. */
  visibility: 'public' | 'approval' | 'private'
  /** Default `general`. */
  type: 'general' | 'study' | 'project' | 'community'
  /** Whether members may add others. Default true. */
  allowMemberInvite: boolean
  /** Whether members may post. Default true. */
  allowMemberPost: boolean
  maxMembers?: number
}

export type GroupEvent = 'group:change' | 'members:change' | 'posts:change' | 'settings:change' | 'requests:change'

type PostFields = Pick<GroupPostData, 'content' | 'contentType' | 'acuId' | 'attachments' | 'metadata'>

/** A group: members, and what they post. What the rules don't allow throws `REFUSED`. */
export class GroupCRDT extends JoinableDocument<GroupEvent, GroupMemberData, GroupRole> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('group', doc, options)
  }

  /** All members by id. */
  get members(): ReadonlyMap<string, GroupMemberData> {
    return byField(this.getMembers(), 'id')
  }

  /** All posts, see {@link getPosts}. */
  get posts(): GroupPostData[] {
    return this.getPosts()
  }

  /** All settings, see {@link getSettings}. */
  get settings(): GroupSettings {
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

  getPosts(): GroupPostData[] {
    return this.view('posts')
  }

  getPostCount(): number {
    return this.view('postCount')
  }

  /** Appends a post in one's own name; gives its id. Counts are derived and not set. */
  addPost(post: Adding<GroupPostData, 'content'>): string {
    return this.runWithId('addPost', 'post', post)
  }

  /** Changes what one has posted. */
  editPost(id: string, changes: Changes<PostFields>): void {
    this.run('editPost', { id, changes })
  }

  /** Removes a post with its comments: its author may, and moderators, admins and the owner. */
  removePost(id: string): void {
    this.run('removePost', { id })
  }

  likePost(id: string): void {
    this.run('likePost', { id })
  }

  unlikePost(id: string): void {
    this.run('unlikePost', { id })
  }

  getComments(postId: string): GroupComment[] {
    return this.view('comments', { postId })
  }

  /** Appends a comment in one's own name; gives its id. */
  addComment(comment: Adding<GroupComment, 'postId' | 'content'>): string {
    return this.runWithId('addComment', 'comment', comment)
  }

  removeComment(id: string): void {
    this.run('removeComment', { id })
  }

  getSettings(): GroupSettings {
    return this.view('settings')
  }

  /** Changes some settings, each for itself. Null takes the limit of members away. */
  updateSettings(settings: Changes<GroupSettings>): void {
    this.run('updateSettings', { changes: settings })
  }

  /** Deletes the group, for everybody and for good. Only the owner may. */
  deleteGroup(): void {
    this.deleteAll()
  }
}
