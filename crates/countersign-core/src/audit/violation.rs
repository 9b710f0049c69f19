//! What can be wrong with what a log says: one flat list, each with a stable code and a sentence.

use core::fmt;

use crate::domain::Event;
use crate::id::PersonId;
use crate::state::Subject;

/// Something that must never be on record, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// What it is about.
    pub subject: Subject,
    /// The kind of event that is wrong, or missing.
    pub kind: &'static str,
    /// What is wrong.
    pub breach: Breach,
}

impl Violation {
    pub(super) fn of(event: &Event, breach: Breach) -> Self {
        Self { subject: event.fact.subject(), kind: event.fact.kind(), breach }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.breach.code()
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of `{}`: {}", self.kind, self.subject, self.breach)
    }
}

impl core::error::Error for Violation {}

/// One line a breach: its name, its code, its sentence.
macro_rules! breaches {
    ($($breach:ident $(($field:ty = $example:expr))? $code:literal: $sentence:literal,)*) => {
        /// What an event, or its absence, offends against.
        ///
        /// The first seven come before all others; after them an event is checked in the order who, what, when, and the first breach is named.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Breach {
            $(#[doc = concat!("`", $code, "`: ", $sentence)] $breach $(($field))?,)*
        }

        impl Breach {
            /// One example of every breach.
            pub const ALL: &'static [Self] = &[$(Self::$breach $(($example))?),*];

            /// The stable code.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self { $(Self::$breach { .. } => $code,)* }
            }

            fn sentence(&self) -> &'static str {
                match self { $(Self::$breach { .. } => $sentence,)* }
            }
        }
    };
}

#[rustfmt::skip]
breaches! {
    MisplacedBeginning "misplaced_beginning": "what it is about does not begin with this, or begins again",
    TimeBackwards "time_backwards": "its time is before that of the event before it",
    Missing "missing": "it had to follow the event before it at once, in the same decision, and does not",
    NoGenesis "no_genesis": "something happens before there is a log",
    Unclaimed "unclaimed": "a person acts who has no credential, or not yet",
    Unprompted "unprompted": "it only ever comes with something else, which is not there",
    SecondGenesis "second_genesis": "there is a log already",
    Unknown "unknown": "what it is about is not under way: it never began here, or it has ended",
    BegunTwice "begun_twice": "what it is about is under way already",
    WrongCorrelation "wrong_correlation": "it carries another correlation than what it belongs to",
    WrongEnvironment "wrong_environment": "it carries another environment than what it belongs to",
    NotTheNode "not_the_node": "only the node does this",
    NotAPerson "not_a_person": "only people do this",
    PolicyUnresolved "policy_unresolved": "the policy it puts in force is not at hand",
    PolicyUnknownMember(PersonId = PersonId(0)) "policy_unknown_member": "the policy names somebody who is not enrolled",
    PolicyIrreplaceable "policy_irreplaceable": "nobody could replace the policy with other people's consent",
    OtherPolicy "other_policy": "it names another policy than the one in force",
    NotBootstrap "not_bootstrap": "it says of itself that it is part of genesis, or that it is not, and that is untrue",
    OtherLog "other_log": "the handover of a key is of another log",
    OtherKey "other_key": "the key that hands over is not the one in force",
    KeyComesBack "key_comes_back": "the new key is or was a key of this log",
    PermitKeyRepeated "permit_key_repeated": "the key that signs permit documents is on record already",
    WrongAuthor "wrong_author": "it names another author of the policy than who asked for it, or one where none matters",
    CensusNotNewer "census_not_newer": "a census counts no more entries than the one before",
    WrongCount "wrong_count": "a census counts more subjects than entries, or none",
    UnknownPerson "unknown_person": "it is about somebody who is not enrolled",
    EnrolledTwice "enrolled_twice": "somebody is enrolled or invited again who has a credential, or was deactivated",
    ClaimedTwice "claimed_twice": "a claim is used a second time",
    ClaimInUse "claim_in_use": "two invitations that are open have the same claim",
    DeactivatedTwice "deactivated_twice": "somebody is deactivated twice",
    StillNeeded "still_needed": "somebody is deactivated without whom nobody could ever replace the policy",
    RequesterGone "requester_gone": "it is voted on or used although who asked for it was deactivated",
    ClaimedByAnother "claimed_by_another": "a claim is used in the name of somebody else",
    CredentialInUse "credential_in_use": "two people hold the same credential",
    DelegatedByAnother "delegated_by_another": "somebody else delegates, or ends a delegation, in the name of the person it is about",
    DelegatedToOneself "delegated_to_oneself": "somebody is their own delegate",
    OtherDelegate "other_delegate": "a delegation is ended that was to somebody else",
    WrongPeriod "wrong_period": "the period of a delegation or an invitation begins before it is on record, is empty or is too long",
    WrongWindow "wrong_window": "the window in which refusals, uses or failed sign-ins were counted ends before it begins, after the event or its subject's time, or overlaps the one before",
    KeyInUse "voting_key_in_use": "a voting key is enrolled that somebody has or had",
    NotTheOwner "not_the_owner": "somebody else revokes a voting key, without an approval",
    KeyNotInForce "voting_key_not_in_force": "a voting key is used or revoked that is not the person's, or was revoked before",
    SignatureRequired "signature_required": "the rules demand that the vote is signed, or with a key in hardware, and it is not",
    NotFresh "not_fresh": "a vote is not by somebody who had just proved who they are for exactly that, where the rules want it, or says so where they do not",
    OtherStatement "other_statement": "a vote signs another statement than those before it",
    TooFewFailures "too_few_failures": "an entry of its own is about fewer failed sign-ins than are worth one",
    ToldTooOften "told_too_often": "failed sign-ins are told of more often than an hour takes, or twice within a quarter of one for the same account",
    RedactedTwice "redacted_twice": "details are deleted that were deleted before",
    SessionByAnother "session_by_another": "a session opens, steps up or ends, or its passkeys change, in the name of somebody else",
    SessionNotLive "session_not_live": "it rests on a session that has ended, or is another person's, or on none",
    SessionWithoutClaim "session_without_claim": "somebody signs in by claiming who has not just claimed",
    SessionNotReplaced "session_not_replaced": "a session takes the place of another that goes on",
    SessionInUse "session_in_use": "a session opens that another session, a token or a person has",
    MethodNotTaken "method_not_taken": "somebody signs in by what is not theirs, was removed, or the policy does not take",
    NotAProof "not_a_proof": "somebody steps up by what does not prove that they are there",
    ChallengeMissing "challenge_missing": "what must be used up is not named, or is open for too long",
    ChallengeUsed "challenge_used": "what may be used once is used a second time",
    ExtendedTooSoon "extended_too_soon": "a session is extended that was not long ago",
    ProofNotRecent "proof_not_recent": "somebody changes how they sign in who proved themselves too long ago",
    PasskeyInUse "passkey_in_use": "a passkey is added that somebody has or had, for signing in or for voting",
    PasskeyNotInForce "passkey_not_in_force": "a passkey is removed that is not the person's, or was removed before",
    LastMeans "last_means": "a person's last way to sign in is taken away",
    NoPassword "no_password": "a password or its codes change that the person does not have",
    WrongCodes "wrong_codes": "there are more or fewer recovery codes than there must be",
    CodeNotOfNow "code_not_of_now": "a one-time code is shown of another time",
    CodeUsed "code_used": "a one-time code is used a second time, or after a later one",
    IdentityInUse "identity_in_use": "an identity is linked that somebody has",
    IdentityNotTheirs "identity_not_theirs": "an identity is taken away that the person does not have",
    TooManyIdentities "too_many_identities": "a person has more identities than are possible",
    TooManyPasskeys "too_many_passkeys": "a person has or had more passkeys than are possible",
    TokenNotLive "token_not_live": "a token acts that has ended, or whose owner was deactivated",
    OutOfScope "out_of_scope": "a token acts whose scopes do not mean this, or not there",
    OtherOwner "other_owner": "it names another owner of the token than who that is, or one where no token acts",
    TokenNotOffered "token_not_offered": "a token is issued where the rules offer none",
    WrongScopes "wrong_scopes": "a token has no scope, too many, or one that is not offered or not within what it is exchanged from",
    OtherNetworks "other_networks": "a token may come from elsewhere than what it is exchanged from",
    OtherKeyBound "other_key_bound": "a token needs another key than what it is exchanged from, or none",
    NotTheParent "not_the_parent": "a token is exchanged by somebody else than itself",
    ExchangedTooOften "exchanged_too_often": "a token is exchanged that was exchanged as often as possible",
    TokenInUse "token_in_use": "a token is issued that another token or a person has",
    NoWorkload "no_workload": "a token is exchanged for that of a workload which the policy in force does not have, or for another name than it gives",
    SpentTwice "spent_twice": "something is used again that may be used once",
    NotRemembered "not_remembered": "what may be used once is remembered for too long, or not for as long as it could be used",
    NotACode "not_a_code": "it does not read like the code of a refusal",
    NoRule "no_rule": "no rule of the policy in force governs the action",
    NotARequester "not_a_requester": "the person is in no group that may ask",
    ConsentNotNeeded "consent_not_needed": "the rules demand nobody's consent",
    Unsatisfiable "unsatisfiable": "the people there are could never agree enough",
    SelfApproval "self_approval": "a person votes on a request of their own",
    DelegateOfRequester "delegate_of_requester": "a person agrees to what somebody asks for in whose place they may agree",
    NotADelegate "not_a_delegate": "a person votes in the place of somebody who has not delegated that to them, or not for then",
    NotAnApprover "not_an_approver": "a person votes whose agreement is not asked for",
    RuleAuthor "rule_author": "a person votes who asked for the rule, which is independent of its author",
    AlreadyVoted "already_voted": "a person says the same twice, or agrees where somebody did in their place",
    NoComment "no_comment": "a person agrees without saying why, and the rules want to know",
    NotDeniedYet "not_denied_yet": "fewer people disagree than the rules want for a denial",
    Denied "denied": "as many people disagree as the rules want for a denial, and it goes on",
    AlreadyApproved "already_approved": "there were votes enough already",
    NotVoted "not_voted": "a person takes back a vote they have not given",
    WrongReopening "wrong_reopening": "it says whether the quorum is lost with a vote, and that is untrue",
    WrongEscalation "wrong_escalation": "it tells others than the rules ask for when nobody votes in time, or tells them twice",
    NotTheRequester "not_the_requester": "somebody else takes a request back",
    AlreadyConsumed "already_consumed": "the approval was used already",
    OtherPermit "other_permit": "the approval gave another permit, or none",
    OtherAction "other_action": "it is for another action than was approved",
    OtherParameters "other_parameters": "it is for other parameters than were approved",
    OtherRules "other_rules": "it names other rules than those that govern the action",
    OtherRequirement "other_requirement": "it names another digest than that of what the rules demand",
    PolicyChanged "policy_changed": "what the rules demand has changed since it was asked for",
    QuorumNotMet "quorum_not_met": "people who count at this moment have not agreed enough",
    NotAnExecutor "not_an_executor": "the person is in no group that may execute",
    ApprovalRequired "approval_required": "the rules demand people's consent, and there is none",
    Frozen "frozen": "a freeze holds what begins, and nobody was excepted from it",
    OtherFreezes "other_freezes": "it names other freezes or exceptions than those the policy and the entries before it give",
    OtherCalendar "other_calendar": "its freezes come out otherwise under the time zone database of this build than under the one it names",
    NotTheExecutor "not_the_executor": "only who holds the permit does this",
    NotAReconciler "not_a_reconciler": "the person is in no group that executes or approves this",
    SelfReconciliation "self_reconciliation": "who did the work says what became of it",
    AlreadyReconciled "already_reconciled": "what became of it is on record already",
    WrongState "wrong_state": "the permit is not in the state in which this can happen",
    BreakGlassNotOffered "break_glass_not_offered": "the glass is broken where the rules do not offer that",
    BreakGlassNotAllowed "break_glass_not_allowed": "the glass is broken by somebody the rules do not let",
    StatementStale "statement_stale": "the statement that was signed is not of the time at which it is used",
    StatementUsed "statement_used": "the statement that was signed is not newer than the last of the same person",
    ReviewOverdue "review_overdue": "the glass is broken while the review of another time is overdue",
    OtherReview "other_review": "it names other reviewers than the rules",
    SelfReview "self_review": "a person reviews what they did themselves",
    DelegateReviews "delegate_reviews": "a person reviews what somebody did in whose place they may agree",
    NotAReviewer "not_a_reviewer": "a person reviews whose review is not asked for",
    AlreadyReviewed "already_reviewed": "a person reviews twice",
    WrongVerdict "wrong_verdict": "it names another verdict than the reviews come to, or is wrong about whether they came in time",
    UseRotation "use_rotation": "a rotation of a governed secret is started and reported by itself alone",
    TooLate "too_late": "it happens at or after its deadline",
    TooEarly "too_early": "it happens before its time",
    WrongDeadline "wrong_deadline": "it names another deadline or lifetime than the rules give",
    WrongOutcome "wrong_outcome": "it names another outcome than what happened",
    NotGoverned "not_governed": "what it rotates is not governed by the policy in force",
    OtherSecret "other_secret": "it names another secret than its permit",
    SecretBusy "secret_busy": "another rotation holds the secret",
    WrongVersion "wrong_version": "it names another version of the secret than is right",
    OtherRotation "other_rotation": "it names another rotation than the one it comes with",
    OtherTerms "other_terms": "it names other endpoints, pauses or attempts than the policy",
    OverlapTooShort "overlap_too_short": "old and new are accepted together for a shorter time than the policy allows",
    OverlapTooLong "overlap_too_long": "it could not end before its permit's deadline",
    TaskNotOwed "task_not_owed": "the task is not owed in this stage",
    TaskDone "task_done": "the task was done already",
    WrongAttempt "wrong_attempt": "the attempt has another number than is right, or its outcome is on record",
    Exhausted "exhausted": "the task was tried as often as the policy allows",
    NotLost "not_lost": "an attempt counts as lost that was not, or was not the last",
    WrongStage "wrong_stage": "the stage is not the one that follows",
    TasksUndone "tasks_undone": "the stage before still owes tasks",
    NoWayBack "no_way_back": "there is no way back from here",
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())?;
        match self {
            Self::PolicyUnknownMember(person) => write!(f, ": `{person}`"),
            _ => Ok(()),
        }
    }
}
