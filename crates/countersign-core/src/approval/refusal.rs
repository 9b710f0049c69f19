//! Why a request or a vote is refused, in order of precedence: first who is asking, then what they ask about, then its state.

use alloc::vec::Vec;
use core::fmt;
use core::num::NonZeroU32;

use crate::catalogue::listed;
use crate::policy::Missing;
use crate::signature::Signing;

/// Why a request or a vote is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such request.
    NotFound,
    /// Only people request, approve, deny and withdraw.
    NotAPerson,
    /// The requester cannot vote on their own request.
    SelfApproval,
    /// Somebody who may agree in the requester's place cannot agree to what the requester asks for.
    DelegateOfRequester,
    /// Only the requester can withdraw.
    NotTheRequester,
    /// No rule of the policy in force governs the action.
    NoRule,
    /// The person asked for the rule that governs it, which is to be independent of them.
    RuleAuthor,
    /// The person may not ask for this action.
    NotARequester,
    /// The person in whose place somebody votes has not delegated that to them, or not for now.
    NotADelegate,
    /// The person is in none of the groups whose agreement is demanded, or has not claimed a credential yet.
    NotAnApprover,
    /// The person has not voted, so there is nothing to take back.
    NotVoted,
    /// The action needs no approval.
    NotNeeded,
    /// It was used.
    Consumed,
    /// It was denied.
    Denied,
    /// It was withdrawn.
    Withdrawn,
    /// Its deadline has passed.
    Expired,
    /// Who asked for it was deactivated.
    RequesterGone,
    /// The rules that govern it demand something else now.
    PolicyChanged,
    /// The people there are could never meet the quorum.
    Unsatisfiable(Vec<Missing>),
    /// The person has voted already, or somebody did in their place.
    AlreadyVoted,
    /// The rules want to know why.
    CommentRequired,
    /// The quorum is met already.
    AlreadyApproved,
    /// The key that signed is not the voter's, or was revoked.
    KeyNotInForce,
    /// The rules demand a signature, or a stronger one.
    SignatureRequired(Signing),
    /// The signature is under another statement than those before it.
    OtherStatement,
    /// The rules want that the voter has just proved who they are: within so many seconds, for exactly this request.
    NotFresh(NonZeroU32),
}

listed! { Refusal:
    NotFound, NotAPerson, SelfApproval, DelegateOfRequester, NotTheRequester, NoRule, RuleAuthor, NotARequester, NotADelegate,
    NotAnApprover, NotVoted, NotNeeded, Consumed, Denied, Withdrawn, Expired, RequesterGone, PolicyChanged, Unsatisfiable(Vec::new()),
    AlreadyVoted, CommentRequired, AlreadyApproved, KeyNotInForce, SignatureRequired(Signing::Required), OtherStatement,
    NotFresh(NonZeroU32::MIN),
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "approval_not_found",
            Self::NotAPerson => "not_a_person",
            Self::SelfApproval => "self_approval",
            Self::DelegateOfRequester => "delegate_of_requester",
            Self::NotTheRequester => "not_the_requester",
            Self::RuleAuthor => "rule_author",
            Self::NoRule => "no_rule",
            Self::NotARequester => "not_a_requester",
            Self::NotADelegate => "not_a_delegate",
            Self::NotAnApprover => "not_an_approver",
            Self::NotVoted => "not_voted",
            Self::NotNeeded => "approval_not_needed",
            Self::Unsatisfiable(_) => "unsatisfiable",
            Self::Consumed => "approval_consumed",
            Self::Denied => "approval_denied",
            Self::Withdrawn => "approval_withdrawn",
            Self::Expired => "approval_expired",
            Self::RequesterGone => "requester_gone",
            Self::PolicyChanged => "policy_changed",
            Self::AlreadyVoted => "already_voted",
            Self::CommentRequired => "comment_required",
            Self::AlreadyApproved => "already_approved",
            Self::KeyNotInForce => "voting_key_not_in_force",
            Self::SignatureRequired(_) => "signature_required",
            Self::OtherStatement => "other_statement",
            Self::NotFresh(_) => "not_fresh",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotFound => "list requests with `countersign approval list`",
            Self::NotAPerson => "sign in as a person",
            Self::SelfApproval => "ask the people the request names to approve it",
            Self::DelegateOfRequester => {
                "ask the other people the request names, or wait for the delegation to end"
            }
            Self::NotTheRequester => "approvers deny; only the requester withdraws",
            Self::RuleAuthor => "ask somebody who did not ask for the rule",
            Self::CommentRequired => "say why you agree: `--reason`",
            Self::NoRule => "nothing happens without a rule: add one to the policy",
            Self::NotARequester => "ask a member of the rule's requester groups",
            Self::NotADelegate => {
                "list delegations with `countersign approval delegations`; nobody passes one on"
            }
            Self::NotAnApprover => "ask a member of the rule's quorum groups",
            Self::NotVoted => "only whoever agreed takes their vote back",
            Self::NotNeeded => "reserve the permit directly",
            Self::Unsatisfiable(_) => {
                "enlarge the quorum's groups, or have their members claim their credentials and enroll the voting keys that the rules ask for"
            }
            Self::Consumed
            | Self::Denied
            | Self::Withdrawn
            | Self::Expired
            | Self::RequesterGone
            | Self::PolicyChanged => "make a new request",
            Self::AlreadyVoted => "a person counts once",
            Self::AlreadyApproved => "reserve the permit",
            Self::KeyNotInForce => "sign with a key that `countersign person key list` shows for you",
            Self::SignatureRequired(Signing::Hardware) => {
                "sign with your `sk-` key: `countersign approval approve ID --sign --key FILE`"
            }
            Self::SignatureRequired(_) => {
                "sign with your voting key: `countersign approval approve ID --sign --key FILE`"
            }
            Self::OtherStatement => "fetch the statement of this request again and sign that",
            Self::NotFresh(_) => {
                "sign in, step up for exactly this request with a passkey and send it again; or sign the vote with a voting key that asks for your presence"
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "there is no such request for approval",
            Self::NotAPerson => "only people request, approve, deny and withdraw",
            Self::SelfApproval => "the requester cannot vote on their own request",
            Self::DelegateOfRequester => {
                "the requester delegated to you, so you cannot agree to what they ask for"
            }
            Self::NotTheRequester => "only the requester can withdraw a request",
            Self::RuleAuthor => {
                "you asked for the rule that governs this, and it is independent of its author"
            }
            Self::CommentRequired => "the rules want to know why you agree",
            Self::NoRule => "no rule of the policy in force governs this action",
            Self::NotARequester => "you may not request this action",
            Self::NotADelegate => "they have not delegated to you, or not for now",
            Self::NotAnApprover => "your agreement is not asked for this action",
            Self::NotVoted => "you have not agreed to this request",
            Self::NotNeeded => "this action needs no approval",
            Self::Unsatisfiable(_) => "the people there are could never meet the quorum",
            Self::Consumed => "the approval was used already",
            Self::Denied => "the request was denied",
            Self::Withdrawn => "the request was withdrawn",
            Self::Expired => "the request has expired",
            Self::RequesterGone => "who asked for it was deactivated",
            Self::PolicyChanged => "the rules for this action have changed since it was requested",
            Self::AlreadyVoted => "you have voted on this request already, or somebody did in your place",
            Self::AlreadyApproved => "the quorum is met already",
            Self::KeyNotInForce => "the key that signed is not yours, or was revoked",
            Self::SignatureRequired(Signing::Hardware) => {
                "the rules for this action demand a signature by a hardware key of yours"
            }
            Self::SignatureRequired(_) => {
                "the rules for this action demand a signature by a voting key of yours"
            }
            Self::NotFresh(seconds) => {
                return write!(f, "the rules want that you proved who you are for exactly this request within {seconds} seconds");
            }
            Self::OtherStatement => "the signature is under another statement than those of the votes before",
        })
    }
}
