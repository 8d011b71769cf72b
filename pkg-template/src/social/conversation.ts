import type { VivimDocument } from '../document.js'
import type { SharedText } from '../shared/text.js'
import type { DocValue } from '../types.js'
import { byField, type Adding, type Changes, type SocialOptions } from './base.js'
import { MembersDocument } from './members.js'

export type MessageType = 'text' | 'image' | 'file' | 'system'

/** A message of a conversation. */
export interface Message {
  id: string
  /** Who wrote it: a DID. */
  authorId: string
  content: string
  /** When, in milliseconds since 1970. */
  timestamp: number
  type: MessageType
  /** The message that it answers. */
  parentId?: string
  /** When it was edited last. */
  editedAt?: number
  metadata?: { [key: string]: DocValue }
}

export type ParticipantRole = 'owner' | 'moderator' | 'member'

/** Somebody who takes part in a conversation. */
export interface Participant {
  id: string
  did: string
  displayName: string
  avatar?: string
  role: ParticipantRole
  joinedAt: number
  /** By whom; a DID. */
  addedBy?: string
}

/** A line of messages that leaves another. */
export interface Branch {
  id: string
  name: string
  /** Its last message. */
  headId: string
  parentBranchId?: string
  createdAt: number
  createdBy: string
}

export type AnnotationType = 'comment' | 'correction' | 'note' | 'warning'

/** A remark on a message. */
export interface Annotation {
  id: string
  targetMessageId: string
  authorId: string
  content: string
  type: AnnotationType
  createdAt: number
  resolvedAt?: number
}

export type ConversationEvent =
  | 'title:change' | 'messages:change' | 'participants:change' | 'metadata:change' | 'branches:change' | 'annotations:change'

/**
 * A conversation: a title that several can edit at once, messages in order, and who takes part.
 *
 * The owner and moderators look after title, metadata and participants; every participant writes
 * messages, edits their own and removes them. What the rules don't allow throws `REFUSED`.
 */
export class ConversationCRDT extends MembersDocument<ConversationEvent, Participant, ParticipantRole> {
  constructor(doc: VivimDocument, options: SocialOptions) {
    super('conversation', doc, options)
  }

  /** The title as a shared text, for an editor that binds it. */
  get title(): SharedText {
    return this.doc.text('title')
  }

  /** All messages, see {@link getMessages}. */
  get messages(): Message[] {
    return this.getMessages()
  }

  /** All participants by id, see {@link getParticipants}. */
  get participants(): ReadonlyMap<string, Participant> {
    return byField(this.getParticipants(), 'id')
  }

  /** All metadata, see {@link getMetadata}. */
  get metadata(): { [key: string]: DocValue } {
    return this.getMetadata()
  }

  getTitle(): string {
    return this.view('title')
  }

  /** Edits the title into this one. Edits of others at the same time stay, too. */
  setTitle(title: string): void {
    this.run('setTitle', { title })
  }

  /** All messages in their order. */
  getMessages(): Message[] {
    return this.view('messages')
  }

  /** Appends a message in one's own name; gives its id. A second one of the same id is none. */
  addMessage(message: Adding<Message, 'content'>): string {
    return this.runWithId('addMessage', 'message', message)
  }

  /** Changes what one has written. */
  editMessage(id: string, content: string): void {
    this.run('editMessage', { id, content })
  }

  /** Removes a message: its author, moderators and the owner may. */
  deleteMessage(id: string): void {
    this.run('deleteMessage', { id })
  }

  /** The same as {@link deleteMessage}. */
  removeMessage(messageId: string): void {
    this.deleteMessage(messageId)
  }

  /** All participants, in the order in which they joined. */
  getParticipants(): Participant[] {
    return this.view('participants')
  }

  addParticipant(participant: Adding<Participant, 'did'>): void {
    this.run('addParticipant', { member: participant })
  }

  /** Removes a participant, by id or DID; or oneself. */
  removeParticipant(id: string): void {
    this.run('removeParticipant', { id })
  }

  /** Changes a participant, by id or DID: the role, or name and picture. */
  updateParticipant(id: string, changes: Changes<Participant>): void {
    this.update(id, changes)
  }

  getMetadata(): { [key: string]: DocValue }
  getMetadata(key: string): DocValue | undefined
  getMetadata(key?: string): { [key: string]: DocValue } | DocValue | undefined {
    const metadata = this.view<{ [key: string]: DocValue }>('metadata')
    return key === undefined ? metadata : metadata[key]
  }

  setMetadata(key: string, value: DocValue): void {
    this.run('setMetadata', { key, value })
  }

  /** The same as {@link setMetadata}. */
  updateMetadata(key: string, value: DocValue): void {
    this.setMetadata(key, value)
  }

  deleteMetadata(key: string): void {
    this.run('deleteMetadata', { key })
  }

  getBranches(): Branch[] {
    return this.view('branches')
  }

  /** Begins a branch; gives its id. */
  addBranch(branch: Adding<Branch, 'headId'>): string {
    return this.runWithId('addBranch', 'branch', branch)
  }

  /** Renames a branch or moves its head. */
  updateBranch(id: string, changes: { name?: string; headId?: string }): void {
    this.run('updateBranch', { id, changes })
  }

  /** Removes a branch; its messages stay. */
  removeBranch(id: string): void {
    this.run('removeBranch', { id })
  }

  /** All remarks, or those on one message. */
  getAnnotations(messageId?: string): Annotation[] {
    return this.view('annotations', { messageId })
  }

  /** Adds a remark; gives its id. */
  addAnnotation(annotation: Adding<Annotation, 'targetMessageId' | 'content'>): string {
    return this.runWithId('addAnnotation', 'annotation', annotation)
  }

  /** Marks a remark as done. */
  resolveAnnotation(id: string): void {
    this.run('resolveAnnotation', { id })
  }

  removeAnnotation(id: string): void {
    this.run('removeAnnotation', { id })
  }

  /** Deletes the conversation, for everybody and for good. Only the owner may. */
  deleteConversation(): void {
    this.deleteAll()
  }
}
