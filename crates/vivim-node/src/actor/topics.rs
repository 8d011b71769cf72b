//! Topics of the application, over gossipsub.

use std::collections::HashMap;

use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, PublishError, TopicHash};

use super::Actor;
use crate::{
    error::{CommandError, TopicError},
    event::{Event, PubSubMessage},
    limits,
};

/// Topics that the application subscribes to: by their name on the wire, the name it gave.
pub(super) type Topics = HashMap<TopicHash, String>;

const GOSSIP: &str = "gossipsub (enableGossipsub)";

/// Names that begin with `/` are whole, others live under `/vivim/`.
pub(super) fn full_name(topic: &str) -> String {
    if topic.starts_with('/') { topic.to_owned() } else { format!("/vivim/{topic}") }
}

impl Actor {
    #[inline(never)]
    pub(super) fn subscribe(&mut self, name: String) -> Result<(), TopicError> {
        if name.len() > limits::MAX_TOPIC {
            return Err(too_large("a topic's name", name.len(), limits::MAX_TOPIC));
        }
        let full = full_name(&name);
        let topic = IdentTopic::new(&full);
        let gossipsub = self.gossipsub()?;
        gossipsub.subscribe(&topic).map_err(|e| TopicError::Publish(e.to_string()))?;
        self.topics.insert(topic.hash(), name);
        // Subscribers meet as members of a room do.
        self.join_topic_room(&full);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn unsubscribe(&mut self, name: &str) -> Result<(), TopicError> {
        let full = full_name(name);
        let topic = IdentTopic::new(&full);
        if self.topics.remove(&topic.hash()).is_some() {
            self.gossipsub()?.unsubscribe(&topic);
            self.leave_topic_room(&full);
        }
        Ok(())
    }

    #[inline(never)]
    pub(super) fn publish(&mut self, name: &str, data: Vec<u8>) -> Result<(), TopicError> {
        if data.len() > limits::MAX_GOSSIP_MESSAGE {
            return Err(too_large("a message", data.len(), limits::MAX_GOSSIP_MESSAGE));
        }
        self.publish_full(&full_name(name), data)
    }

    // Rare: see `Actor::round`.
    #[inline(never)]
    pub(super) fn publish_full(&mut self, topic: &str, data: Vec<u8>) -> Result<(), TopicError> {
        match self.gossipsub()?.publish(IdentTopic::new(topic), data) {
            // Nobody listening is no failure of the publisher's.
            Ok(_) | Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => Ok(()),
            Err(error) => Err(TopicError::Publish(error.to_string())),
        }
    }

    pub(super) fn gossipsub(&mut self) -> Result<&mut gossipsub::Behaviour, TopicError> {
        let disabled = CommandError::Disabled(GOSSIP);
        self.swarm.behaviour_mut().gossipsub.as_mut().ok_or(disabled.into())
    }

    pub(super) fn on_gossip(&mut self, event: gossipsub::Event) {
        let gossipsub::Event::Message { propagation_source, message_id, message } = event else {
            return;
        };
        let acceptance = match (self.topics.get(&message.topic), message.source) {
            (Some(topic), Some(from)) => {
                let topic = topic.clone();
                let data = message.data;
                self.emit(Event::Message(PubSubMessage { topic, from, data }));
                MessageAcceptance::Accept
            }
            (None, Some(from)) => self.on_room_gossip(&message.topic, from, &message.data),
            // Strict signing leaves no message without an author.
            (_, None) => MessageAcceptance::Reject,
        };
        if let Some(gossipsub) = self.swarm.behaviour_mut().gossipsub.as_mut() {
            // False only if the message has left the cache meanwhile.
            let _ = gossipsub.report_message_validation_result(
                &message_id,
                &propagation_source,
                acceptance,
            );
        }
    }
}

fn too_large(what: &'static str, size: usize, limit: usize) -> TopicError {
    CommandError::TooLarge { what, size, limit }.into()
}
