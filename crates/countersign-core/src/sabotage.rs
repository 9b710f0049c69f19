//! Test-only: breaks one rule on purpose, so that the suite can show that it would notice.
//!
//! Without the feature `sabotage`, which no shipped build has, nothing can be broken: [`is_active`] is the constant `false`.

use core::str::FromStr;
#[cfg(feature = "sabotage")]
use core::sync::atomic::{AtomicU8, Ordering};

/// A rule that can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Sabotage {
    /// Requesters may approve their own requests.
    SelfApproval = 1,
    /// A consumed approval gives another permit.
    DoubleConsume,
    /// Commands of one batch do not see each other's events.
    NoOverlay,
    /// An append is acknowledged before it is durable.
    EarlyAcknowledge,
    /// SQLite does not wait for the disk.
    SynchronousOff,
    /// Old keys are revoked without an overlap.
    SkipOverlap,
    /// Hooks count as acknowledged without being called.
    InventedOutcome,
    /// A witness answers without having remembered.
    ForgetfulWitness,
    /// The glass is broken again while a review is overdue.
    ForgottenDebt,
    /// Whoever broke the glass reviews it.
    SelfReview,
    /// Accounts of one human count as so many people.
    LinkedTwice,
    /// A freeze holds nothing, though it is written down that it does.
    FreezeIgnored,
    /// An exception from a freeze that was used is good again.
    ExceptionTwice,
    /// A vote is fresh by a step-up for another request.
    StepUpForAnotherRequest,
    /// A node that does not know whether anybody was revoked lets people do things.
    StaleNode,
    /// The token of a workload that was exchanged is good again.
    WorkloadTwice,
    /// Votes of people who were deactivated count.
    DeactivatedVotes,
    /// An approval gives a permit after its deadline.
    ExpiredApproval,
    /// An approval gives a permit under rules it was not asked for under.
    ForgottenPolicy,
    /// An approval gives a permit before its quorum is met.
    ShortQuorum,
    /// A token that expired or was revoked acts.
    EndedToken,
    /// A token acts beyond its scopes.
    OutOfScope,
    /// Work that nobody reports in time counts as done.
    UnknownSucceeds,
    /// Nobody writes down that permits end.
    DroppedEffect,
    /// Orders of later stages cannot be told from those of earlier ones.
    FrozenFence,
    /// A request that is repeated with its idempotency key is obeyed again.
    ForgottenKey,
    /// A node goes on from where the log is without having read what others wrote.
    UnfollowedLog,
    /// The store in memory appends whatever size is expected.
    UnfencedAppend,
    /// Entries get whatever time the clock shows.
    UnwatchedClock,
    /// Whoever is not told what became of something is told that nothing did.
    UnknownIsNothing,
}

/// All of them, with the names the environment variable uses.
pub const ALL: [(&str, Sabotage); 30] = [
    ("self-approval", Sabotage::SelfApproval),
    ("double-consume", Sabotage::DoubleConsume),
    ("no-overlay", Sabotage::NoOverlay),
    ("early-acknowledge", Sabotage::EarlyAcknowledge),
    ("synchronous-off", Sabotage::SynchronousOff),
    ("skip-overlap", Sabotage::SkipOverlap),
    ("invented-outcome", Sabotage::InventedOutcome),
    ("forgetful-witness", Sabotage::ForgetfulWitness),
    ("forgotten-debt", Sabotage::ForgottenDebt),
    ("self-review", Sabotage::SelfReview),
    ("linked-twice", Sabotage::LinkedTwice),
    ("freeze-ignored", Sabotage::FreezeIgnored),
    ("exception-twice", Sabotage::ExceptionTwice),
    ("step-up-for-another-request", Sabotage::StepUpForAnotherRequest),
    ("stale-node", Sabotage::StaleNode),
    ("workload-twice", Sabotage::WorkloadTwice),
    ("deactivated-votes", Sabotage::DeactivatedVotes),
    ("expired-approval", Sabotage::ExpiredApproval),
    ("forgotten-policy", Sabotage::ForgottenPolicy),
    ("short-quorum", Sabotage::ShortQuorum),
    ("ended-token", Sabotage::EndedToken),
    ("out-of-scope", Sabotage::OutOfScope),
    ("unknown-succeeds", Sabotage::UnknownSucceeds),
    ("dropped-effect", Sabotage::DroppedEffect),
    ("frozen-fence", Sabotage::FrozenFence),
    ("forgotten-key", Sabotage::ForgottenKey),
    ("unfollowed-log", Sabotage::UnfollowedLog),
    ("unfenced-append", Sabotage::UnfencedAppend),
    ("unwatched-clock", Sabotage::UnwatchedClock),
    ("unknown-is-nothing", Sabotage::UnknownIsNothing),
];

#[cfg(feature = "sabotage")]
static ACTIVE: AtomicU8 = AtomicU8::new(0);

impl FromStr for Sabotage {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        ALL.iter().find(|(name, _)| *name == text).map(|(_, it)| *it).ok_or("no such sabotage")
    }
}

#[cfg(feature = "sabotage")]
/// Breaks the rule for the rest of this process.
pub fn activate(sabotage: Sabotage) {
    ACTIVE.store(sabotage as u8, Ordering::SeqCst);
}

/// Whether the rule is broken.
#[must_use]
#[cfg(feature = "sabotage")]
pub fn is_active(sabotage: Sabotage) -> bool {
    ACTIVE.load(Ordering::SeqCst) == sabotage as u8
}

/// Whether the rule is broken: never, in this build.
#[must_use]
#[cfg(not(feature = "sabotage"))]
pub const fn is_active(_sabotage: Sabotage) -> bool {
    false
}
