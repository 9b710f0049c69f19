//! What can be wrong with what a log says: one flat list, each with a stable code and a sentence.

use core::fmt;

use crate::catalogue::listed;
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

/// What an event, or its absence, offends against.
///
/// The first six come before all others; after them an event is checked in the order who, what, when, and the first breach is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// The first event of what it is about does not begin it, or a later one begins it again.
    MisplacedBeginning,
    /// Its time is before that of the event before it.
    TimeBackwards,
    /// It had to follow the event before it at once, and does not.
    Missing,
    /// Something happens before there is a log.
    NoGenesis,
    /// A person acts who has no credential, or not yet.
    Unclaimed,
    /// It only ever comes with something else, which is not there.
    Unprompted,
    /// There is a log already.
    SecondGenesis,
    /// What it is about is not under way here: it never began, or it has ended.
    Unknown,
    /// What it is about is under way already.
    BegunTwice,
    /// It carries another correlation than what it belongs to.
    WrongCorrelation,
    /// It carries another environment than what it belongs to.
    WrongEnvironment,
    /// Only the node does this.
    NotTheNode,
    /// Only people do this.
    NotAPerson,
    /// The policy it puts in force is not at hand.
    PolicyUnresolved,
    /// The policy names somebody who is not enrolled.
    PolicyUnknownMember(PersonId),
    /// Nobody could replace the policy with other people's consent.
    PolicyIrreplaceable,
    /// It names another policy than the one in force.
    OtherPolicy,
    /// It says of itself that it is part of genesis, or that it is not, and that is untrue.
    NotBootstrap,
    /// It is about somebody who is not enrolled.
    UnknownPerson,
    /// Somebody is enrolled twice.
    EnrolledTwice,
    /// A claim is used a second time.
    ClaimedTwice,
    /// A claim is used in the name of somebody else.
    ClaimedByAnother,
    /// Two people hold the same credential.
    CredentialInUse,
    /// The window of time in which refusals were counted is none.
    WrongWindow,
    /// It does not read like the code of a refusal.
    NotACode,
    /// It counts more subjects than entries, or no more entries than the count before.
    WrongCount,
    /// No rule of the policy in force governs the action.
    NoRule,
    /// The person is in no group that may ask.
    NotARequester,
    /// The rules demand nobody's consent.
    ConsentNotNeeded,
    /// The people there are could never agree enough.
    Unsatisfiable,
    /// A person votes on a request of their own.
    SelfApproval,
    /// A person votes whose agreement is not asked for.
    NotAnApprover,
    /// A person agrees twice.
    AlreadyVoted,
    /// There were votes enough already.
    AlreadyApproved,
    /// Somebody else takes a request back.
    NotTheRequester,
    /// The approval is in use, or was used.
    AlreadyConsumed,
    /// The approval gave another permit.
    OtherPermit,
    /// It is for another action than was approved.
    OtherAction,
    /// It is for other parameters than were approved.
    OtherParameters,
    /// It names other rules than those that govern the action.
    OtherRules,
    /// It names another digest than that of what the rules demand.
    OtherRequirement,
    /// What the rules demand has changed since it was asked for.
    PolicyChanged,
    /// People who count now have not agreed enough.
    QuorumNotMet,
    /// The person is in no group that may execute.
    NotAnExecutor,
    /// The rules demand people's consent, and there is none.
    ApprovalRequired,
    /// Only the person who holds the permit does this.
    NotTheExecutor,
    /// The permit is not in the state in which this can happen.
    WrongState,
    /// The permit's action has its own executor.
    UseRotation,
    /// It happens at or after its deadline.
    TooLate,
    /// It happens before its time.
    TooEarly,
    /// It names another deadline or lifetime than the rules give.
    WrongDeadline,
    /// It names another outcome than what happened.
    WrongOutcome,
    /// What it rotates is not governed by the policy in force.
    NotGoverned,
    /// It names another secret than its permit.
    OtherSecret,
    /// Another rotation holds the secret.
    SecretBusy,
    /// It names another version of the secret than is right.
    WrongVersion,
    /// It names another rotation than the one it comes with.
    OtherRotation,
    /// It names other endpoints, pauses or attempts than the policy.
    OtherTerms,
    /// Old and new are accepted together for a shorter time than the policy allows.
    OverlapTooShort,
    /// It could not end before its permit's deadline.
    OverlapTooLong,
    /// The task is not owed in this stage.
    TaskNotOwed,
    /// The task was done already.
    TaskDone,
    /// The attempt has another number than is right.
    WrongAttempt,
    /// The task was tried as often as the policy allows.
    Exhausted,
    /// An attempt counts as lost that was not.
    NotLost,
    /// The stage is not the one that follows.
    WrongStage,
    /// The stage still owes tasks.
    TasksUndone,
    /// There is no way back from here.
    NoWayBack,
}

listed! { Breach:
    MisplacedBeginning, TimeBackwards, Missing, NoGenesis, Unclaimed, Unprompted, SecondGenesis, Unknown, BegunTwice, WrongCorrelation,
    WrongEnvironment, NotTheNode, NotAPerson, PolicyUnresolved, PolicyUnknownMember(PersonId(0)), PolicyIrreplaceable,
    OtherPolicy, NotBootstrap, UnknownPerson, EnrolledTwice, ClaimedTwice, ClaimedByAnother, CredentialInUse, WrongWindow,
    NotACode, WrongCount, NoRule, NotARequester, ConsentNotNeeded, Unsatisfiable, SelfApproval, NotAnApprover, AlreadyVoted,
    AlreadyApproved, NotTheRequester, AlreadyConsumed, OtherPermit, OtherAction, OtherParameters, OtherRules,
    OtherRequirement, PolicyChanged, QuorumNotMet, NotAnExecutor, ApprovalRequired, NotTheExecutor, WrongState, UseRotation,
    TooLate, TooEarly, WrongDeadline, WrongOutcome, NotGoverned, OtherSecret, SecretBusy, WrongVersion, OtherRotation,
    OtherTerms, OverlapTooShort, OverlapTooLong, TaskNotOwed, TaskDone, WrongAttempt, Exhausted, NotLost, WrongStage,
    TasksUndone, NoWayBack,
}

impl Breach {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.words().0
    }

    /// The code and the sentence.
    #[rustfmt::skip]
    fn words(&self) -> (&'static str, &'static str) {
        match self {
            Self::MisplacedBeginning => ("misplaced_beginning", "what it is about does not begin with this, or begins again"),
            Self::TimeBackwards => ("time_backwards", "its time is before that of the event before it"),
            Self::Missing => ("missing", "it had to follow the event before it at once, in the same decision, and does not"),
            Self::NoGenesis => ("no_genesis", "something happens before there is a log"),
            Self::Unclaimed => ("unclaimed", "a person acts who has no credential, or not yet"),
            Self::Unprompted => ("unprompted", "it only ever comes with something else, which is not there"),
            Self::SecondGenesis => ("second_genesis", "there is a log already"),
            Self::Unknown => ("unknown", "what it is about is not under way: it never began here, or it has ended"),
            Self::BegunTwice => ("begun_twice", "what it is about is under way already"),
            Self::WrongCorrelation => ("wrong_correlation", "it carries another correlation than what it belongs to"),
            Self::WrongEnvironment => ("wrong_environment", "it carries another environment than what it belongs to"),
            Self::NotTheNode => ("not_the_node", "only the node does this"),
            Self::NotAPerson => ("not_a_person", "only people do this"),
            Self::PolicyUnresolved => ("policy_unresolved", "the policy it puts in force is not at hand"),
            Self::PolicyUnknownMember(_) => ("policy_unknown_member", "the policy names somebody who is not enrolled"),
            Self::PolicyIrreplaceable => ("policy_irreplaceable", "nobody could replace the policy with other people's consent"),
            Self::OtherPolicy => ("other_policy", "it names another policy than the one in force"),
            Self::NotBootstrap => ("not_bootstrap", "it says of itself that it is part of genesis, or that it is not, and that is untrue"),
            Self::UnknownPerson => ("unknown_person", "it is about somebody who is not enrolled"),
            Self::EnrolledTwice => ("enrolled_twice", "somebody is enrolled twice"),
            Self::ClaimedTwice => ("claimed_twice", "a claim is used a second time"),
            Self::ClaimedByAnother => ("claimed_by_another", "a claim is used in the name of somebody else"),
            Self::CredentialInUse => ("credential_in_use", "two people hold the same credential"),
            Self::WrongWindow => ("wrong_window", "the window in which refusals were counted ends before it begins, or after the event"),
            Self::NotACode => ("not_a_code", "it does not read like the code of a refusal"),
            Self::WrongCount => ("wrong_count", "it counts more subjects than entries, or no more entries than the count before"),
            Self::NoRule => ("no_rule", "no rule of the policy in force governs the action"),
            Self::NotARequester => ("not_a_requester", "the person is in no group that may ask"),
            Self::ConsentNotNeeded => ("consent_not_needed", "the rules demand nobody's consent"),
            Self::Unsatisfiable => ("unsatisfiable", "the people there are could never agree enough"),
            Self::SelfApproval => ("self_approval", "a person votes on a request of their own"),
            Self::NotAnApprover => ("not_an_approver", "a person votes whose agreement is not asked for"),
            Self::AlreadyVoted => ("already_voted", "a person agrees twice"),
            Self::AlreadyApproved => ("already_approved", "there were votes enough already"),
            Self::NotTheRequester => ("not_the_requester", "somebody else takes a request back"),
            Self::AlreadyConsumed => ("already_consumed", "the approval was used already"),
            Self::OtherPermit => ("other_permit", "the approval gave another permit, or none"),
            Self::OtherAction => ("other_action", "it is for another action than was approved"),
            Self::OtherParameters => ("other_parameters", "it is for other parameters than were approved"),
            Self::OtherRules => ("other_rules", "it names other rules than those that govern the action"),
            Self::OtherRequirement => ("other_requirement", "it names another digest than that of what the rules demand"),
            Self::PolicyChanged => ("policy_changed", "what the rules demand has changed since it was asked for"),
            Self::QuorumNotMet => ("quorum_not_met", "people who count at this moment have not agreed enough"),
            Self::NotAnExecutor => ("not_an_executor", "the person is in no group that may execute"),
            Self::ApprovalRequired => ("approval_required", "the rules demand people's consent, and there is none"),
            Self::NotTheExecutor => ("not_the_executor", "only who holds the permit does this"),
            Self::WrongState => ("wrong_state", "the permit is not in the state in which this can happen"),
            Self::UseRotation => ("use_rotation", "a rotation of a governed secret is started and reported by itself alone"),
            Self::TooLate => ("too_late", "it happens at or after its deadline"),
            Self::TooEarly => ("too_early", "it happens before its time"),
            Self::WrongDeadline => ("wrong_deadline", "it names another deadline or lifetime than the rules give"),
            Self::WrongOutcome => ("wrong_outcome", "it names another outcome than what happened"),
            Self::NotGoverned => ("not_governed", "what it rotates is not governed by the policy in force"),
            Self::OtherSecret => ("other_secret", "it names another secret than its permit"),
            Self::SecretBusy => ("secret_busy", "another rotation holds the secret"),
            Self::WrongVersion => ("wrong_version", "it names another version of the secret than is right"),
            Self::OtherRotation => ("other_rotation", "it names another rotation than the one it comes with"),
            Self::OtherTerms => ("other_terms", "it names other endpoints, pauses or attempts than the policy"),
            Self::OverlapTooShort => ("overlap_too_short", "old and new are accepted together for a shorter time than the policy allows"),
            Self::OverlapTooLong => ("overlap_too_long", "it could not end before its permit's deadline"),
            Self::TaskNotOwed => ("task_not_owed", "the task is not owed in this stage"),
            Self::TaskDone => ("task_done", "the task was done already"),
            Self::WrongAttempt => ("wrong_attempt", "the attempt has another number than is right, or its outcome is on record"),
            Self::Exhausted => ("exhausted", "the task was tried as often as the policy allows"),
            Self::NotLost => ("not_lost", "an attempt counts as lost that was not, or was not the last"),
            Self::WrongStage => ("wrong_stage", "the stage is not the one that follows"),
            Self::TasksUndone => ("tasks_undone", "the stage before still owes tasks"),
            Self::NoWayBack => ("no_way_back", "there is no way back from here"),
        }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().1)?;
        match self {
            Self::PolicyUnknownMember(person) => write!(f, ": `{person}`"),
            _ => Ok(()),
        }
    }
}
