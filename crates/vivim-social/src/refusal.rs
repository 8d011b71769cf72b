//! Why an operation was not made.

use vivim_doc::EditError;

/// A rule speaks against the operation. The document is unchanged; the sentence says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It has been created before.
    #[error("this has an owner already; join it instead of creating it")]
    AlreadyCreated,
    /// Whoever is to be added is there.
    #[error("{0} is a member already; change the member instead")]
    AlreadyMember(String),
    /// The state machine of a request, friendship or invitation doesn't lead there.
    #[error("it is {is}, which can't become {to}; {advice}")]
    BadTransition {
        /// The state it is in.
        is: String,
        /// The state asked for.
        to: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Somebody has blocked the other.
    #[error("{by} has blocked this; only they can end that")]
    Blocked {
        /// Who has blocked.
        by: String,
    },
    /// The whole was deleted by its owner.
    #[error("this was deleted by its owner; create another one")]
    Deleted,
    /// There is one of this id, of this pair or under this name.
    #[error("there is {0} of this id or for these two already; change that one")]
    Exists(&'static str),
    /// An invitation has expired.
    #[error("the invitation has expired; ask for another one")]
    Expired,
    /// No more fit.
    #[error("there are {max} {what} already, which is the limit; remove some or raise the limit")]
    Full {
        /// What there are too many of.
        what: &'static str,
        /// The bound.
        max: usize,
    },
    /// An argument isn't what it must be.
    #[error("`{field}` must be {expected}")]
    Invalid {
        /// The name of the argument or field.
        field: String,
        /// What is expected.
        expected: &'static str,
    },
    /// The author hasn't the right.
    #[error("only {0} may do this; ask one of them")]
    NotAllowed(&'static str),
    /// The author isn't the one who wrote it, or writes in another's name.
    #[error("this can only be done in one's own name: it belongs to {0}")]
    NotAuthor(String),
    /// It has no owner yet.
    #[error("this has no owner yet; create it first")]
    NotCreated,
    /// There is nothing of this id.
    #[error("there is no {what} {id:?}; look it up again, it may have been removed")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which id.
        id: String,
    },
    /// The author is no member.
    #[error("only members may do this; join or ask for an invitation")]
    NotMember,
    /// The owner can't leave.
    #[error("the owner can't leave or be removed; transfer the ownership first, or delete it")]
    OwnerStays,
    /// The role is as high as the author's own, or higher.
    #[error("this needs a role above {0}; ask somebody who has one")]
    RoleTooHigh(&'static str),
    /// No such operation, view or kind of document.
    #[error("there is no {what} {name:?}")]
    Unknown {
        /// What was named.
        what: &'static str,
        /// The name.
        name: String,
    },
}

/// Why an operation on a document was not made.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SocialError {
    /// The document couldn't be edited or read.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// A rule speaks against it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Refusal {
    /// A refusal of an argument.
    pub(crate) fn invalid(field: &str, expected: &'static str) -> Self {
        Self::Invalid { field: field.to_owned(), expected }
    }

    /// A refusal because something isn't there.
    pub(crate) fn not_found(what: &'static str, id: &str) -> Self {
        Self::NotFound { what, id: id.to_owned() }
    }
}
